package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// walk is what a walker knows about its dispatch. All of it but mail belongs to the
// goroutine of the walker.
type walk struct {
	w         *walker
	ctx       context.Context // of reads and attempts; doesn't end with Run's
	disp      graph.Dispatch
	l         *graph.Lattice
	p         *graph.Progress
	vals      *values          // inputs and what electrons left, for expressions
	include   []executors.File // packed files, once they were needed
	reuse     *reuse           // nil: everything runs
	decisions int              // about reuse in this plan
	marked    bool             // it is known that electrons were asked to end before it began

	es      []electron
	final   []atomic.Bool // those that are final; others may read it
	open    int           // how many are not
	first   *graph.Error  // of the electron that failed first
	firstAt time.Time

	queue   map[string][]int  // ready electrons in line for a slot, by executor
	claims  map[string]*claim // by executor
	grants  map[string]int    // slots given and not used yet, by executor
	planned map[string]int    // slots of starts that are not durable yet, by executor
	later   map[int]time.Time // ready electrons that wait for an instant

	troubles int // electrons whose attempt is in trouble

	mail mail           // from attempts and slots
	wg   sync.WaitGroup // attempts
	quit chan struct{}  // closed when attempts are to be left alone

	step     graph.Step          // being planned
	starting []*attempt          // of step
	after    []func()            // what else to do once step is durable
	shown    graph.WaitingChange // what is stored about waiting

	now        time.Time // of this plan
	slow       time.Time // since when it waits for slots, zero: it doesn't
	finish     time.Time // when to try again to compose the output
	vain       int       // tries of that
	unread     string    // why the last one came to nothing
	cancelling bool
	begun      bool // it is stored as running; its first step makes it so
	stopping   bool // Run ends: nothing new
	over       bool // its end is durable
}

// electron is how far one of them is.
type electron struct {
	status  graph.Status
	n       int // attempts so far
	failed  int // of which failed
	lost    int // of which lost
	vain    int // tries to prepare one that came to nothing
	attempt *attempt
	trouble trouble        // of attempt
	waiting *graph.Waiting // as stored
	err     *graph.Error   // of the last attempt
	reused  bool           // completed by what its namesake left
	why     string         // it could not be reused
	ending  bool           // somebody asked to cancel it
}

// newWalk rebuilds what the store knows. l is the lattice when that is at hand.
func newWalk(ctx context.Context, w *walker, r graph.Run, l *graph.Lattice) (_ *walk, err error) {
	k := &walk{
		w: w, ctx: context.WithoutCancel(ctx), disp: r.Dispatch,
		queue: map[string][]int{}, claims: map[string]*claim{}, grants: map[string]int{}, planned: map[string]int{},
		later: map[int]time.Time{}, mail: mail{grants: map[string]int{}}, quit: make(chan struct{}),
		step:  graph.Step{Dispatch: w.id},
		shown: graph.WaitingChange{Reason: r.Dispatch.Reason, Waiting: r.Dispatch.Waiting},
		begun: r.Dispatch.Status == graph.Running, marked: r.Dispatch.Marked, now: time.Now(),
	}
	if l == nil {
		l, err = w.d.store.Lattice(ctx, r.Dispatch.LatticeID)
	}
	if err != nil {
		err = fmt.Errorf("lattice %s: %w", r.Dispatch.LatticeID, err)
		var invalid *graph.Invalid
		if !errors.As(err, &invalid) || len(openAttempts(r)) > 0 {
			return nil, err
		}
		k.hopeless("lattice", err)
		return k, nil
	}
	if k.vals, err = newValues(k.ctx, w.d.store, k.disp, l); err != nil {
		return nil, err
	}
	if k.disp.Reuse && k.disp.ParentID != "" {
		if k.reuse, err = newReuse(k.ctx, w.d, k.disp.ParentID, l); err != nil {
			return nil, err
		}
	}
	k.l, k.p = l, graph.NewProgress(l)
	k.es, k.open = make([]electron, len(l.Electrons)), len(l.Electrons)
	for i := range k.es {
		k.es[i].status = graph.Pending
	}
	k.final = make([]atomic.Bool, len(l.Electrons))
	w.ended.Store(&k.final)
	if err := guard(func() error { return k.restore(r.Electrons) }); err != nil {
		k.leave()
		return nil, err
	}
	return k, nil
}

// restore takes up electrons that have left their initial state.
func (k *walk) restore(es []graph.Electron) error {
	k.now = time.Now()
	var marks []int // asked to end
	for _, e := range es {
		if e.Index < 0 || e.Index >= len(k.es) {
			return fmt.Errorf("electron %d is not in lattice %s", e.Index, k.l.ID)
		}
		k.restoreOne(e)
		if !e.CancelRequestedAt.IsZero() && !e.Status.Terminal() {
			marks = append(marks, e.Index)
		}
	}
	var again []*attempt
	for _, e := range es {
		if e.Status != graph.Running || len(e.Attempts) == 0 {
			continue
		}
		a, err := k.rejoin(e)
		if err != nil {
			return err
		}
		again = append(again, a)
	}
	for _, a := range again {
		if s := k.w.d.slots[a.executor]; s != nil {
			s.force(1)
		}
		k.launch(a)
	}
	ready, skipped := k.p.Resume()
	k.skipped(skipped)
	k.cancelSome(marks)
	k.ready(ready)
	return nil
}

func (k *walk) restoreOne(e graph.Electron) {
	x := &k.es[e.Index]
	x.ending = !e.CancelRequestedAt.IsZero()
	x.status, x.n, x.waiting, x.err, x.reused = e.Status, len(e.Attempts), e.Waiting, e.Error, e.ReusedFrom != ""
	for _, a := range e.Attempts {
		switch a.Status {
		case graph.Failed:
			x.failed++
		case graph.Lost:
			x.lost++
		}
		if a.Error != nil {
			x.err = a.Error
		}
	}
	k.p.Restore(e.Index, e.Status, e.Reason)
	switch {
	case e.Status.Terminal():
		k.open--
		k.final[e.Index].Store(true)
		k.vals.restore(e)
		if e.Status == graph.Failed {
			k.noteFailure(e.Error, e.EndedAt)
		}
	case e.Status == graph.Running && x.waiting != nil:
		k.mind(x, trouble{code: x.waiting.Code, detail: x.waiting.Detail})
	case e.Status == graph.Pending && x.n > 0:
		k.later[e.Index] = k.now
		if x.waiting != nil && x.waiting.Until != nil {
			k.later[e.Index] = *x.waiting.Until
		}
	}
}

// rejoin prepares to ask for an attempt that was started before.
func (k *walk) rejoin(e graph.Electron) (*attempt, error) {
	last := e.Attempts[len(e.Attempts)-1]
	task, given, err := k.task(e.Index)
	if mayPass(err) {
		return nil, err
	}
	if err != nil {
		task, given = executors.Task{}, nil // it was resolved once; whoever knows the attempt needs no more
	}
	a := k.newAttempt(e.Index, last.ID, last.N, e.Executor, task)
	if a.evidence = given; given != nil {
		given.since = last.StartedAt
	}
	a.handle, a.begun, a.unknown, a.doubted = last.Handle, last.StartedAt, last.Status == graph.Unknown, e.Waiting != nil
	a.startedBefore()
	return a, nil
}

// detach leaves every attempt alone and waits until nobody watches them any more.
func (k *walk) detach() {
	select {
	case <-k.quit:
		return // once is enough
	default:
		close(k.quit)
	}
	for i := range k.es {
		if a := k.es[i].attempt; a != nil {
			a.cancel(executors.ErrDetached)
		}
	}
	k.wg.Wait()
}

// leave ends what this walk holds: nothing of it is alive afterwards.
func (k *walk) leave() {
	k.detach()
	for name, c := range k.claims {
		k.w.d.slots[name].withdraw(c)
	}
	_, late := k.mail.take()
	for name, s := range k.w.d.slots {
		if n := k.grants[name] + k.planned[name] + late[name]; n > 0 {
			s.put(n)
		}
	}
}
