package dispatcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// attempt is one that runs. The walker's goroutine owns unknown and its own the task;
// the rest doesn't change once it is launched.
type attempt struct {
	electron int
	name     string
	id       string
	n        int
	executor string
	begun    time.Time
	unknown  bool            // as stored
	doubted  bool            // trouble of it was stored before this walk
	handle   json.RawMessage // as recorded with the start
	task     executors.Task
	evidence *evidence // nil: not known
	cancel   context.CancelCauseFunc
}

// startedBefore lets the task say that the executor may have it already.
func (a *attempt) startedBefore() {
	if a.task.Handle = a.handle; a.task.Handle == nil {
		a.task.Handle = json.RawMessage("null")
	}
}

// news is what an attempt tells its walker: its end, or trouble on the way.
type news struct {
	attempt *attempt
	end     *ending
	trouble trouble
}

// trouble is why an attempt that is not over gives no sign of being well. The zero
// value means that it has passed.
type trouble struct {
	code    string // unknown, executor, store, survivors
	detail  string
	unknown bool // whether the attempt runs isn't known
}

// What attempts and dispatches wait for, besides graph.ReasonRetry.
const (
	waitSlots     = "slots"     // all attempts that may run at a time do
	waitExecutor  = "executor"  // the executor can't start attempts now, or isn't configured
	waitUnknown   = "unknown"   // the executor can't tell
	waitStore     = "store"     // something can't be read or stored now
	waitSurvivors = "survivors" // cancelled, and something of it won't die
	waitUpstream  = "upstream"  // electrons it needs have not ended
	waitWindow    = "window"    // as many dispatches as may be are live
	waitSweep     = "sweep"     // as many of its sweep as may be are let go
	waitQueue     = "queue"     // accepted a moment ago
	waitCancel    = "cancel"    // electron: it was asked to end
)

func (k *walk) tell(n news) {
	k.mail.tell(n)
	k.w.signal()
}

// see runs an attempt until it is over or left alone, and tells how it ended.
func (k *walk) see(ctx context.Context, a *attempt) {
	e := k.follow(ctx, a)
	if e != nil {
		k.mail.tell(news{attempt: a, end: e}) // before the slot is free, so that both come together
	}
	if s := k.w.d.slots[a.executor]; s != nil {
		s.put(1)
	}
	k.w.signal()
}

// follow asks the executor until it gives an answer that is final; nil when the
// attempt is left alone.
func (k *walk) follow(ctx context.Context, a *attempt) *ending {
	for n := 1; ; n++ {
		calm := k.calmAfter(a, n)
		res, err := k.execute(ctx, a)
		calm()
		v := judge(err, context.Cause(ctx))
		switch v.kind {
		case left:
			return nil
		case over:
			return k.preserve(ctx, a, res, v)
		case again:
			k.w.d.count.asked.Add(1)
			k.tell(news{attempt: a, trouble: v.trouble})
			a.startedBefore()
			if !k.pause(ctx, n) {
				return nil
			}
		}
	}
}

// calmAfter tells that trouble has passed when asking again takes a while, which means
// that the attempt is being watched.
func (k *walk) calmAfter(a *attempt, n int) (stop func()) {
	if n == 1 && !a.doubted {
		return func() {}
	}
	t := time.AfterFunc(2*time.Second, func() { k.tell(news{attempt: a}) })
	return func() { t.Stop() }
}

// execute calls the executor. A panic leaves behind who knows what.
func (k *walk) execute(ctx context.Context, a *attempt) (res executors.Result, err error) {
	e := k.w.d.execs[a.executor]
	if e == nil {
		return res, fmt.Errorf("%s: %w", noExecutor(a.executor), executors.ErrUnknown)
	}
	if p := guard(func() error {
		res, err = e.Run(ctx, a.task)
		return nil
	}); p != nil {
		k.w.log.Error().AnErr(keyErr, p).Str(keyAttempt, a.id).Str(keyExecutor, a.executor).Msg("executor panicked")
		return res, fmt.Errorf("executor %s panicked: %w", a.executor, executors.ErrUnknown)
	}
	return res, err
}

// pause waits before the n-th further question; false when the attempt is to be left.
// A cancellation cuts the first wait short.
func (k *walk) pause(ctx context.Context, n int) bool {
	t := time.NewTimer(againDelay(n, jitter()))
	defer t.Stop()
	done := ctx.Done()
	if ctx.Err() != nil {
		done = nil // it is being cancelled already
	}
	select {
	case <-k.quit:
		return false
	case <-done:
		return !errors.Is(context.Cause(ctx), executors.ErrDetached)
	case <-t.C:
		return true
	}
}

// verdict is what an answer of an executor means.
type verdict struct {
	kind      verdictKind
	status    graph.Status // when over without a Result: Failed, Lost or Cancelled
	err       *graph.Error
	permanent bool
	trouble   trouble
}

type verdictKind int

const (
	over  verdictKind = iota // the attempt has ended
	again                    // ask again
	left                     // it goes on without us
)

// judge reads the error of Executor.Run. cause is why the attempt's context ended, or nil.
func judge(err, cause error) verdict {
	switch {
	case err == nil:
		return verdict{kind: over}
	case errors.Is(cause, executors.ErrDetached):
		return verdict{kind: left}
	case errors.Is(err, executors.ErrSurvivors):
		return verdict{kind: again, trouble: trouble{code: waitSurvivors, detail: err.Error()}}
	case errors.Is(err, executors.ErrUnknown):
		return verdict{kind: again, trouble: trouble{code: waitUnknown, detail: err.Error(), unknown: true}}
	case errors.Is(err, executors.ErrLost):
		return verdict{kind: over, status: graph.Lost, err: executors.AsError(err, string(graph.Lost))}
	case cause != nil: // it was to be ended, and could not be or was not started
		return verdict{kind: over, status: graph.Cancelled, err: cancelledError()}
	case executors.IsPermanent(err):
		return verdict{kind: over, status: graph.Failed, err: executors.AsError(err, waitExecutor), permanent: true}
	}
	return verdict{kind: again, trouble: trouble{code: waitExecutor, detail: err.Error()}}
}

func cancelledError() *graph.Error {
	return &graph.Error{Code: executors.CodeCancelled, Message: "cancelled on request"}
}
