package triggers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/latticed/latticed/graph"
)

const (
	// maxUnasked is how many events one request may make without having said how many.
	maxUnasked = 1000
	// maxNamed is how many events one request may name.
	maxNamed = 10_000
	// emitBatch is how many events go into one transaction.
	emitBatch = 500
	// eventMissed is the kind of the events of a clock that stand for instants which are
	// not run. They never fire.
	eventMissed = "missed"
)

// confirmed refuses to make more than a thousand events unless n is what was said.
func confirmed(n, confirm int, what string) error {
	if n <= maxUnasked || n == confirm {
		return nil
	}
	return &ConflictError{Code: "confirm_required", Message: fmt.Sprintf("%d %s: say confirm=%d if that is what you want", n, what, n), Found: n}
}

// Retry lets events that have ended without a dispatch go through the gate again, as
// the trigger is now: those with the given ids, or all in the given states (default
// rejected and dead; skipped is possible). Each is recorded anew, with the same
// payload and the key KEY~1, then KEY~2 and so on; one that was retried before is left
// out, so that a request which was cut off can be made again. So are those that only count
// what a clock has missed. More than 1,000 want confirm to be their number, which the
// *ConflictError names otherwise. It returns how many were recorded.
func (m *Manager) Retry(ctx context.Context, idOrName string, events []string, states []EventState, confirm int, by Principal) (int, error) {
	states, err := retryStates(events, states)
	if err != nil {
		return 0, err
	}
	k, err := m.keeper(ctx, idOrName)
	if err != nil {
		return 0, err
	}
	r := retry{m: m, k: k, ids: events, states: states}
	n := 0
	if err := r.each(ctx, func(es []Event) error { n += len(es); return nil }); err != nil {
		return 0, err
	}
	if err := confirmed(n, confirm, "events would run again"); err != nil || n == 0 {
		return 0, err
	}
	r.until = r.last // what the retried ones become is not retried as well
	done := 0
	err = r.each(ctx, func(es []Event) error {
		fresh, err := k.admit(es)
		done += fresh
		return err
	})
	m.opts.Log.Info().Str(keyTrigger, k.name).Int("events", done).Str("by", by.Name).Err(err).Msg("events retried")
	if err != nil {
		return done, fmt.Errorf("retry events of trigger %s (%d of %d are recorded, ask again for the rest): %w", k.name, done, n, err)
	}
	return done, nil
}

func retryStates(events []string, states []EventState) ([]EventState, error) {
	if len(events) > maxNamed {
		return nil, invalidField("events", graph.CodeTooLarge, "%d events are named, of %d at most", len(events), maxNamed)
	}
	if len(events) > 0 && len(states) > 0 {
		return nil, invalidField("states", graph.CodeBadValue, "give events or states, not both")
	}
	for _, s := range states {
		if s != EventRejected && s != EventDead && s != EventSkipped {
			return nil, invalidField("states", graph.CodeBadValue, "must be rejected, dead or skipped, not %s", show(string(s)))
		}
	}
	if len(states) == 0 {
		states = []EventState{EventRejected, EventDead}
	}
	return states, nil
}

// retry is a look at the events that are to run again.
type retry struct {
	m      *Manager
	k      *keeper
	ids    []string
	states []EventState
	until  int64 // later events are left alone; 0: none
	last   int64 // the last one that was seen
}

// each calls f with the events to record, some at a time. Those that are recorded
// already are left out.
func (r *retry) each(ctx context.Context, f func([]Event) error) error {
	if len(r.ids) > 0 {
		for part := range slices.Chunk(r.ids, emitBatch) {
			es, err := r.named(ctx, part)
			if err == nil {
				err = r.anew(ctx, es, f)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for after := int64(0); ; {
		es, err := r.m.ledger.Past(ctx, r.k.id, r.states, after, emitBatch)
		if err != nil {
			return fmt.Errorf("read the events of trigger %s: %w", r.k.name, err)
		}
		if r.until > 0 {
			es = slices.DeleteFunc(es, func(e Event) bool { return e.Seq > r.until })
		}
		if len(es) == 0 {
			return nil
		}
		after = es[len(es)-1].Seq
		r.last = max(r.last, after)
		if err := r.anew(ctx, es, f); err != nil {
			return err
		}
	}
}

// named reads events by their ids.
func (r *retry) named(ctx context.Context, ids []string) ([]Event, error) {
	var es []Event
	for _, id := range ids {
		e, err := r.k.event(ctx, id)
		if err != nil {
			return nil, err
		}
		switch {
		case !final(e.State):
			return nil, &ConflictError{Code: "event_undecided", Message: fmt.Sprintf("event %s is %s: there is nothing to retry yet", id, e.State)}
		case e.Kind == eventMissed:
			return nil, &ConflictError{Code: "event_missed", Message: fmt.Sprintf("event %s only says what was missed; to run that: latticed trigger backfill %s --since … --until …", id, r.k.name)}
		case e.State == EventFired:
			return nil, &ConflictError{Code: "event_fired", Message: fmt.Sprintf("event %s has fired; to fire it once more: latticed trigger fire %s --event %s", id, r.k.name, id)}
		}
		es = append(es, e)
	}
	return es, nil
}

// anew gives f the events with the keys of their next try, without those that have one.
func (r *retry) anew(ctx context.Context, es []Event, f func([]Event) error) error {
	next := make([]Event, 0, len(es))
	keys := make([]string, 0, len(es))
	for _, e := range es {
		if e.Kind == eventMissed {
			continue
		}
		next = append(next, Event{Key: nextTry(e.Key), Kind: e.Kind, Payload: e.Payload, Generation: e.Generation})
		keys = append(keys, nextTry(e.Key))
	}
	next, err := r.k.unknown(ctx, next, keys)
	if err != nil || len(next) == 0 {
		return err
	}
	return f(next)
}

// unknown leaves the events whose keys no event of the trigger has.
func (k *keeper) unknown(ctx context.Context, es []Event, keys []string) ([]Event, error) {
	known, err := k.m.ledger.Known(ctx, k.id, keys)
	if err != nil {
		return nil, fmt.Errorf("look up the events of trigger %s: %w", k.name, err)
	}
	if len(known) == 0 {
		return es, nil
	}
	seen := make(map[string]bool, len(known))
	for _, key := range known {
		seen[key] = true
	}
	return slices.DeleteFunc(es, func(e Event) bool { return seen[e.Key] }), nil
}

// nextTry is the key of an event that runs again: K~1 after K, K~2 after K~1.
func nextTry(key string) string {
	if at := strings.LastIndexByte(key, '~'); at > 0 {
		digits := key[at+1:]
		if n, err := strconv.ParseUint(digits, 10, 31); err == nil && n > 0 && digits[0] != '0' && digits[0] != '+' {
			return fmt.Sprintf("%s~%d", key[:at], n+1)
		}
	}
	return key + "~1"
}

// admit records events that no source has emitted just now, in one transaction, and
// leaves them to the gate. It returns how many were new.
func (k *keeper) admit(events []Event) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.show()
	if err := k.alive(); err != nil {
		return 0, err
	}
	if err := k.stamp(events); err != nil {
		return 0, err
	}
	// Held, since of some kinds what is pending in a pause is skipped, and nobody asked
	// for that. The trigger's own context: a repeated request must not find itself
	// answered by the first of several transactions.
	held := Decision{State: EventHeld, Reason: ReasonBacklog}
	for _, e := range events {
		held.EventIDs = append(held.EventIDs, e.ID)
	}
	rec, err := k.m.ledger.Record(k.ctx, k.id, k.trigger.Revision, Batch{Events: events}, []Decision{held})
	if err != nil {
		k.doubt()
		return 0, fmt.Errorf("store events: %w", err)
	}
	if len(rec.Events) == 0 {
		return 0, nil
	}
	for _, e := range rec.Events {
		k.m.tally.event(e.Kind)
	}
	k.hear()
	k.behind = true // they are rows beyond the window, as after a restart
	k.decideSoon()
	return len(rec.Events), nil
}
