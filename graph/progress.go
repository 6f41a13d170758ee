package graph

import "fmt"

// The reasons why an electron did not run, or why its last attempt was its last.
const (
	ReasonCondition       = "condition"        // its `if` was false
	ReasonUpstream        = "upstream"         // something it depends on failed or was cancelled
	ReasonUpstreamSkipped = "upstream_skipped" // it needs data of an electron that was skipped by its `if`
	ReasonStopped         = "stopped"          // on_failure: stop held it back
	ReasonCancelled       = "cancelled"        // somebody asked
	ReasonRetry           = "retry"            // pending: waits for its next attempt
)

// Skip is an electron that ends without (another) attempt because of what happened
// to others.
type Skip struct {
	Electron int
	// Status is Skipped; Cancelled when it was cancelled while pending; or Failed for
	// one that waited for a retry which will not come: its last error stands.
	Status Status
	Reason string
}

// Progress is the scheduling state of one dispatch: which electrons may start, which
// never will, and how the whole stands. It is a value of the walker's goroutine and
// not safe for concurrent use. All calls of one run together cost O(nodes + edges).
//
// A new dispatch begins with Ready. A recovered one calls Restore for each electron
// that has left its initial state and then Resume. From then on every electron that
// may start is handed out exactly once, by Ready, Resume, End, Skip or Cancel.
type Progress struct {
	lattice   *Lattice
	dag       *dag
	node      []node
	counts    Counts
	stopped   bool // on_failure: stop and one failed
	cancelled bool // CancelAll was called
}

type node struct {
	phase phase
	soft  bool  // a need was skipped and its data is missed: to be skipped with it
	waits int32 // needs that have not ended
}

// NewProgress returns the state of a dispatch that has not begun.
func NewProgress(l *Lattice) *Progress {
	p := &Progress{lattice: l, dag: l.edges(), node: make([]node, len(l.Electrons))}
	for i := range l.Electrons {
		p.node[i].waits = int32(len(l.Electrons[i].Needs))
	}
	p.counts.Pending = len(p.node)
	return p
}

// Ready returns the electrons that may start now and have not started, in the order
// of the document. It looks at all electrons: call it once, at the beginning.
func (p *Progress) Ready() []int {
	var ready []int
	for i, n := range p.node {
		if n.phase == pending && n.waits == 0 {
			ready = append(ready, i)
		}
	}
	return ready
}

// Start notes that electron i runs: a ready one, or one that waited for a retry.
func (p *Progress) Start(i int) {
	n := p.node[i]
	if n.phase != retrying && (n.phase != pending || n.waits > 0) {
		panic(fmt.Sprintf("graph: electron %d was started while %s with %d open needs", i, n.phase.status(), n.waits))
	}
	p.set(i, running)
}

// Retry notes that the attempt of electron i failed and another one is wanted. It
// answers false when there must be none (the dispatch stops or was cancelled); then
// the caller ends the electron.
func (p *Progress) Retry(i int) bool {
	if p.stopped || p.cancelled || p.node[i].phase != running {
		return false
	}
	p.set(i, retrying)
	return true
}

// End notes how electron i ended: Completed, Failed or Cancelled. It may have run,
// waited for a retry, or been ready (when its values could not be computed). It
// returns what may start because of it and what never will. A second end changes
// nothing.
func (p *Progress) End(i int, outcome Status) (ready []int, skipped []Skip) {
	to := completed
	switch outcome {
	case Failed, Lost:
		to = failed
	case Cancelled:
		to = cancelled
	case Completed:
	case New, Pending, Running, Skipped, Unknown:
		panic(fmt.Sprintf("graph: %s is not how an electron ends", outcome))
	}
	if p.node[i].phase.terminal() {
		return nil, nil
	}
	p.set(i, to)
	return p.settle([]int{i})
}

// Skip notes that the ready electron i does not run, ReasonCondition normally.
func (p *Progress) Skip(i int, reason string) (ready []int, skipped []Skip) {
	if p.node[i].phase.terminal() {
		return nil, nil
	}
	p.set(i, skipPhase(reason))
	return p.settle([]int{i})
}

// Cancel ends the electrons among is that are pending or wait for a retry. Running
// ones are left: they end by End when nothing of them is left.
func (p *Progress) Cancel(is ...int) (ready []int, skipped []Skip) {
	var ended []int
	for _, i := range is {
		if ph := p.node[i].phase; ph == pending || ph == retrying {
			p.set(i, cancelled)
			ended = append(ended, i)
			skipped = append(skipped, Skip{i, Cancelled, ReasonCancelled})
		}
	}
	ready, more := p.settle(ended)
	return ready, append(skipped, more...)
}

// CancelAll ends everything that does not run; nothing starts any more.
func (p *Progress) CancelAll() []Skip {
	p.cancelled = true
	var skipped []Skip
	for i := range p.node {
		if ph := p.node[i].phase; ph == pending || ph == retrying {
			p.set(i, cancelled)
			skipped = append(skipped, Skip{i, Cancelled, ReasonCancelled})
		}
	}
	return skipped
}

// Of returns where electron i stands.
func (p *Progress) Of(i int) Status { return p.node[i].phase.status() }

// Counts says how many electrons are in each state.
func (p *Progress) Counts() Counts { return p.counts }

// Status is Running until every electron has ended, then Failed if any failed, else
// Cancelled if any was cancelled, else Completed.
func (p *Progress) Status() Status {
	switch c := p.counts; {
	case c.Pending+c.Running > 0:
		return Running
	case c.Failed > 0:
		return Failed
	case c.Cancelled > 0:
		return Cancelled
	}
	return Completed
}

// settle tells the dependents of the electrons in ended, and theirs, and so on.
func (p *Progress) settle(ended []int) (ready []int, skipped []Skip) {
	for ; len(ended) > 0; ended = ended[1:] {
		i := ended[0]
		ph := p.node[i].phase
		if ph == failed && p.lattice.OnFailure != "continue" && !p.stopped {
			p.stopped = true
			ended = append(ended, p.dropRetries(&skipped)...)
		}
		for _, e := range p.dag.dependents(i) {
			n := &p.node[e.to]
			if n.phase != pending {
				continue
			}
			n.waits--
			n.soft = n.soft || ph == skippedSoft && e.hard
			switch {
			case ph.hard():
				p.skip(int(e.to), ReasonUpstream, &skipped)
				ended = append(ended, int(e.to))
			case n.waits > 0:
				// A failure among the others would weigh more than a skip.
			case n.soft:
				p.skip(int(e.to), ReasonUpstreamSkipped, &skipped)
				ended = append(ended, int(e.to))
			default:
				ready = append(ready, int(e.to))
			}
		}
	}
	if p.stopped && p.counts.Pending > 0 {
		p.stop(&skipped)
	}
	return ready, skipped
}

// dropRetries fails what waits for a retry: after a stop there are no new ones.
func (p *Progress) dropRetries(skipped *[]Skip) (ended []int) {
	for i := range p.node {
		if p.node[i].phase == retrying {
			p.set(i, failed)
			*skipped = append(*skipped, Skip{i, Failed, ReasonStopped})
			ended = append(ended, i)
		}
	}
	return ended
}

// stop skips all that has not started; those behind a failure are gone already.
func (p *Progress) stop(skipped *[]Skip) {
	for i := range p.node {
		if p.node[i].phase == pending {
			p.skip(i, ReasonStopped, skipped)
		}
	}
}

func (p *Progress) skip(i int, reason string, skipped *[]Skip) {
	p.set(i, skipPhase(reason))
	*skipped = append(*skipped, Skip{i, Skipped, reason})
}

// set moves electron i and keeps the counts.
func (p *Progress) set(i int, to phase) {
	*p.counter(p.node[i].phase)--
	*p.counter(to)++
	p.node[i].phase = to
}

func (p *Progress) counter(ph phase) *int {
	switch ph {
	case running:
		return &p.counts.Running
	case completed:
		return &p.counts.Completed
	case failed:
		return &p.counts.Failed
	case cancelled:
		return &p.counts.Cancelled
	case skippedSoft, skippedHard:
		return &p.counts.Skipped
	case pending, retrying:
	}
	return &p.counts.Pending
}
