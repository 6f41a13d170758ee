package dispatcher

import (
	"context"
	"encoding/json"
	"runtime"

	"github.com/google/uuid"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// line puts a ready electron into the line for a slot of its executor.
func (k *walk) line(i int) {
	name := k.l.Electrons[i].Executor
	k.queue[name] = append(k.queue[name], i)
	s := k.w.d.slots[name]
	if s == nil {
		return // no such executor here: it waits for a configuration that has it
	}
	c := k.claims[name]
	if c == nil {
		c = &claim{grant: func() {
			k.mail.grant(name)
			k.w.signal()
		}}
		k.claims[name] = c
	}
	k.grants[name] += s.take(c, 1)
}

// startGranted uses the slots that were granted and gives back the others.
func (k *walk) startGranted() {
	for len(k.grants) > 0 {
		for name := range k.grants {
			k.useGrants(name)
		}
	}
}

func (k *walk) useGrants(name string) {
	for k.grants[name] > 0 {
		i, ok := k.nextInLine(name)
		if !ok {
			k.w.d.slots[name].put(k.grants[name])
			break
		}
		if ready, skipped, started := k.start(i); started {
			k.grants[name]--
		} else {
			k.skipped(skipped)
			k.ready(ready)
		}
	}
	delete(k.grants, name)
}

// nextInLine takes an electron out of the line, passing by those that ended there.
func (k *walk) nextInLine(name string) (int, bool) {
	for len(k.queue[name]) > 0 {
		i := k.queue[name][0]
		k.queue[name] = k.queue[name][1:]
		if k.es[i].status == graph.Pending {
			return i, true
		}
	}
	delete(k.queue, name)
	if c := k.claims[name]; c != nil {
		k.w.d.slots[name].withdraw(c)
	}
	return 0, false
}

// start plans the next attempt of electron i, which has a slot. When its expressions
// fail it ends instead, with what follows from that.
func (k *walk) start(i int) (ready []int, skipped []graph.Skip, started bool) {
	task, given, err := k.task(i)
	if err != nil {
		ready, skipped = k.unprepared(i, err)
		return ready, skipped, false
	}
	x, spec := &k.es[i], &k.l.Electrons[i]
	x.n++
	x.status, x.waiting, x.vain = graph.Running, nil, 0
	k.p.Start(i)
	a := k.newAttempt(i, newID(), x.n, spec.Executor, task)
	a.evidence = given
	a.handle = k.handle(a)
	k.step.Starts = append(k.step.Starts, graph.AttemptStart{
		Electron: i, Name: a.name, ID: a.id, N: a.n, Executor: a.executor, Handle: a.handle, Reuse: x.why, At: k.now,
	})
	x.why = ""
	k.planned[a.executor]++
	k.starting = append(k.starting, a)
	return nil, nil, true
}

// handle is what the executor wants to be remembered before an attempt starts.
func (k *walk) handle(a *attempt) json.RawMessage {
	if h, ok := k.w.d.execs[a.executor].(executors.Handler); ok {
		return h.Handle(a.id)
	}
	return nil
}

// newAttempt makes an attempt of electron i that runs once it is launched.
func (k *walk) newAttempt(i int, id string, n int, executor string, t executors.Task) *attempt {
	name := k.l.Electrons[i].Name
	t.Attempt, t.Dispatch, t.Number, t.Electron, t.RunAs = id, k.disp.ID, k.disp.Number, name, k.disp.RunAs
	a := &attempt{electron: i, name: name, id: id, n: n, executor: executor, begun: k.now, task: t}
	a.task.Report = func(code, detail string) { k.tell(news{attempt: a, trouble: trouble{code: code, detail: detail}}) }
	return a
}

// launchPlanned runs the attempts of a step that is durable now, and perhaps begins the
// dispatch.
func (k *walk) launchPlanned(as []*attempt, begins bool) {
	for _, a := range as {
		k.planned[a.executor]--
		k.launch(a)
	}
	if len(as) > 0 {
		runtime.Gosched() // the last of them has this processor now
	}
	if begins {
		k.w.log.Info().Str(keyStatus, string(graph.Running)).Str(keyLattice, k.disp.LatticeName).Msg("dispatch started")
	}
	for _, a := range as {
		k.w.log.Info().Str(keyElectron, a.name).Str(keyAttempt, a.id).Str(keyExecutor, a.executor).
			Str(keyStatus, string(graph.Running)).Msg("attempt started")
	}
}

// launch runs an attempt whose start is durable.
func (k *walk) launch(a *attempt) {
	ctx, cancel := context.WithCancelCause(k.ctx)
	a.cancel = cancel
	k.es[a.electron].attempt = a
	k.w.d.own(a.id)
	if k.w.cancel.Load() || k.es[a.electron].ending {
		cancel(executors.ErrCancelled) // asked for while the start was being stored, or before
	}
	k.lookFirst(a.evidence)
	k.wg.Go(func() { k.see(ctx, a) })
}

func newID() string {
	return uuid.Must(uuid.NewV7()).String() // fails only without a random source
}
