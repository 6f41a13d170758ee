package dispatcher

import (
	"errors"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// outputMax is how many bytes the result of a dispatch may have; it is part of the
// dispatch wherever that is shown.
const outputMax = 8 << 20

// finishIfOver plans the end of the dispatch once every electron has ended.
func (k *walk) finishIfOver() {
	if k.open > 0 || k.step.Finish != nil || k.finish.After(k.now) {
		return
	}
	end := graph.DispatchEnd{Status: k.p.Status(), At: k.now}
	switch end.Status {
	case graph.Completed:
		raw, err := k.vals.compose()
		if errors.Is(err, errNotYet) {
			k.finish = k.now
			return
		}
		if mayPass(err) {
			k.vain++
			k.unread = err.Error()
			k.finish = k.now.Add(againDelay(k.vain, jitter()))
			k.w.log.Error().AnErr(keyErr, err).Msg("output could not be composed")
			return
		}
		if end.Result = raw; err != nil {
			end.Status, end.Error = graph.Failed, executors.AsError(err, graph.CodeExpression)
		}
	case graph.Failed:
		end.Error = k.first
	default:
		end.Reason, end.Error = graph.ReasonCancelled, cancelledError()
	}
	k.end(end)
}

// end plans the end of the dispatch and what is to be told once it is durable.
func (k *walk) end(e graph.DispatchEnd) {
	k.step.Finish = &e
	k.after = append(k.after, func() {
		k.over = true
		d := k.disp
		d.Status, d.Reason, d.Waiting, d.Result, d.Error, d.EndedAt = e.Status, e.Reason, nil, e.Result, e.Error, e.At
		k.w.d.hasEnded(d)
	})
}

// hopeless plans the end of a dispatch that can't be walked at all.
func (k *walk) hopeless(code string, err error) {
	k.end(graph.DispatchEnd{Status: graph.Failed, Error: executors.AsError(err, code), At: time.Now()})
}

// hasEnded tells the world that a final state of d is durable.
func (d *Dispatcher) hasEnded(g graph.Dispatch) {
	d.count.ended[g.Status].Add(1)
	l := d.log.Info().Str(keyDispatch, g.ID).Str(keyStatus, string(g.Status))
	if !g.StartedAt.IsZero() {
		l = l.Dur(keyDur, g.EndedAt.Sub(g.StartedAt))
	}
	if g.Error != nil {
		l = l.Str(keyElectron, g.Error.Electron).Str(keyReason, g.Error.Code).Str(keyErr, g.Error.Message)
	}
	l.Msg("dispatch ended")
	if d.opts.Ended == nil {
		return
	}
	if err := guard(func() error { d.opts.Ended(g); return nil }); err != nil {
		d.log.Error().AnErr(keyErr, err).Str(keyDispatch, g.ID).Msg("whoever wanted to know of the end panicked")
	}
}
