package dispatcher

import (
	"errors"
	"slices"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// plan turns everything that has happened since the last one into k.step.
func (k *walk) plan() {
	if k.l == nil {
		return // it was hopeless from the beginning
	}
	k.now, k.decisions = time.Now(), 0
	ns, grants := k.mail.take()
	for name, n := range grants {
		k.grants[name] += n
	}
	for _, n := range newest(ns) {
		k.hear(n)
	}
	if is := k.w.takeMarks(); len(is) > 0 {
		k.marked = k.marked || !k.begun
		k.cancelSome(is)
	}
	if k.w.cancel.Load() && !k.cancelling {
		k.cancelAll()
	}
	for _, s := range k.mail.takeSeen() {
		k.saw(s)
	}
	if !k.stopping {
		k.becomeDue()
		k.startGranted()
	}
	k.finishIfOver()
	k.showWaiting()
}

// hear takes in what an attempt says.
func (k *walk) hear(n news) {
	if n.end == nil {
		k.troubled(n.attempt, n.trouble)
		return
	}
	x := &k.es[n.attempt.electron]
	x.attempt = nil
	k.mind(x, trouble{})
	for _, as := range n.end.assets {
		k.step.Assets = append(k.step.Assets, as)
		k.vals.fresh[as.SHA256] = as
	}
	k.step.Ends = append(k.step.Ends, n.end.record)
	k.after = append(k.after, func() { k.w.released(n.attempt, *n.end) })
	k.ended(n.attempt, *n.end)
}

// ended decides what the end of an attempt means for its electron.
func (k *walk) ended(a *attempt, e ending) {
	x := &k.es[a.electron]
	retries := k.l.Electrons[a.electron].Retries
	x.err = e.record.Error
	c := graph.ElectronChange{
		Electron: a.electron, Name: a.name, From: graph.Running, To: graph.Failed, At: e.record.At, Error: x.err,
	}
	switch e.record.Status {
	case graph.Completed:
		c.To, c.Result, c.Pickle, c.Files, c.Fingerprint = graph.Completed, e.result, e.pickle, e.files, e.print
		k.vals.completed(a.electron, e)
	case graph.Cancelled:
		c.To, c.Reason = graph.Cancelled, graph.ReasonCancelled
	case graph.Lost:
		x.lost++
		if x.lost <= retries.Lost && !x.ending && k.retry(c, x.lost, lostBackoff) {
			return
		}
		if k.cancelling || x.ending {
			c.To, c.Reason = graph.Cancelled, graph.ReasonCancelled
		}
	default:
		x.failed++
		if !e.permanent && !x.ending && x.failed <= retries.Max && k.retry(c, x.failed, retries.Backoff) {
			return
		}
	}
	k.close(c)
	ready, skipped := k.p.End(c.Electron, c.To)
	k.skipped(skipped)
	k.ready(ready)
}

// lostBackoff is the base of the wait after a lost attempt.
const lostBackoff = time.Second

// retry sends an electron back to pending until its time has come, unless nothing
// new may start.
func (k *walk) retry(c graph.ElectronChange, n int, base time.Duration) bool {
	if !k.p.Retry(c.Electron) {
		return false
	}
	until := k.now.Add(retryDelay(base, n, jitter())).Round(time.Microsecond)
	x := &k.es[c.Electron]
	x.status = graph.Pending
	x.waiting = &graph.Waiting{Code: graph.ReasonRetry, Since: k.now, Until: &until, Detail: c.Error.Message}
	c.To, c.Reason, c.Waiting = graph.Pending, graph.ReasonRetry, x.waiting
	k.step.Electrons = append(k.step.Electrons, c)
	k.later[c.Electron] = until
	k.w.d.count.retries.Add(1)
	return true
}

// close records that an electron is final.
func (k *walk) close(c graph.ElectronChange) {
	x := &k.es[c.Electron]
	x.status, x.waiting = c.To, nil
	k.open--
	k.final[c.Electron].Store(true)
	delete(k.later, c.Electron)
	k.step.Electrons = append(k.step.Electrons, c)
	if c.To == graph.Failed {
		k.noteFailure(c.Error, c.At)
	}
}

// skipped records what Progress ended because of others.
func (k *walk) skipped(ss []graph.Skip) {
	for _, s := range ss {
		c := k.change(s.Electron, s.Status, s.Reason)
		if s.Status == graph.Failed {
			c.Error = k.es[s.Electron].err // it waited for a retry
		}
		k.close(c)
	}
}

// change is a change of a pending electron.
func (k *walk) change(i int, to graph.Status, reason string) graph.ElectronChange {
	return graph.ElectronChange{
		Electron: i, Name: k.l.Electrons[i].Name, From: graph.Pending, To: to, Reason: reason, At: k.now,
	}
}

// noteFailure remembers the failure that becomes the error of the dispatch.
func (k *walk) noteFailure(e *graph.Error, at time.Time) {
	if k.first == nil || at.Before(k.firstAt) {
		k.first, k.firstAt = e, at
	}
}

// ready lines up electrons whose needs are met, after their conditions.
func (k *walk) ready(is []int) {
	for len(is) > 0 {
		i := is[0]
		is = is[1:]
		if _, waits := k.later[i]; waits || k.es[i].status != graph.Pending {
			continue
		}
		ok, err := k.vals.condition(i)
		var (
			more []int
			ss   []graph.Skip
		)
		switch {
		case err != nil:
			more, ss = k.unprepared(i, err)
		case !ok:
			k.close(k.change(i, graph.Skipped, graph.ReasonCondition))
			more, ss = k.p.Skip(i, graph.ReasonCondition)
		default:
			more, ss = k.lineOrReuse(i)
		}
		k.skipped(ss)
		is = append(is, more...)
	}
}

// unprepared ends an electron whose expressions fail, or tries it later when only
// reading failed.
func (k *walk) unprepared(i int, err error) ([]int, []graph.Skip) {
	name := k.l.Electrons[i].Name
	if !mayPass(err) {
		c := k.change(i, graph.Failed, "")
		c.Error = executors.AsError(err, graph.CodeExpression)
		c.Error.Electron = name
		k.close(c)
		return k.p.End(i, graph.Failed)
	}
	if errors.Is(err, errNotYet) {
		k.later[i] = k.now
		return nil, nil
	}
	x := &k.es[i]
	x.vain++
	k.later[i] = k.now.Add(againDelay(x.vain, jitter()))
	k.w.log.Error().AnErr(keyErr, err).Str(keyElectron, name).Msg("electron could not be prepared")
	if x.waiting == nil || x.waiting.Code != waitStore {
		x.waiting = &graph.Waiting{Code: waitStore, Since: k.now, Detail: err.Error()}
		reason := ""
		if x.n > 0 {
			reason = graph.ReasonRetry
		}
		c := k.change(i, graph.Pending, reason)
		c.Waiting = x.waiting
		k.step.Electrons = append(k.step.Electrons, c)
	}
	return nil, nil
}

// becomeDue lines up what has waited long enough.
func (k *walk) becomeDue() {
	var due []int
	for i, at := range k.later {
		if !at.After(k.now) {
			due = append(due, i)
		}
	}
	slices.Sort(due)
	for _, i := range due {
		delete(k.later, i)
		if k.es[i].n > 0 {
			k.line(i) // its condition held at the first attempt
		} else {
			k.ready([]int{i})
		}
	}
}

// cancelSome ends electrons that were asked to end: what runs when nothing of it is
// left, the others at once.
func (k *walk) cancelSome(is []int) {
	if len(is) == 0 {
		return
	}
	for _, i := range is {
		x := &k.es[i]
		x.ending = true
		if x.attempt != nil {
			x.attempt.cancel(executors.ErrCancelled)
		}
	}
	ready, skipped := k.p.Cancel(is...)
	k.skipped(skipped)
	k.ready(ready)
	k.w.log.Info().Int(keyCount, len(is)).Msg("electrons are being cancelled")
}

// cancelAll ends what runs and everything that has not begun.
func (k *walk) cancelAll() {
	k.cancelling = true
	for i := range k.es {
		if a := k.es[i].attempt; a != nil {
			a.cancel(executors.ErrCancelled)
		}
	}
	k.skipped(k.p.CancelAll())
	k.w.log.Info().Msg("dispatch is being cancelled")
}
