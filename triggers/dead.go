package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Of an event that can't be decided although the ledger works for others.
const (
	// deadAfter is how often it is tried alone before it is dead.
	deadAfter = 3
	// strikeWait is how long after the first try the second is; the third takes five
	// times that.
	strikeWait = 5 * time.Second
)

// strikes are events that the ledger refused to decide, by id. They are kept in
// memory only: after a restart they are tried anew.
type strikes map[string]strike

type strike struct {
	n  int
	at time.Time // when to try again
}

// isolate stores the verdicts of which the ledger refuses some, half by half, until
// each that it refuses stands alone. It returns an error when the ledger does not work
// at all. err is what it said about all of them.
func (k *keeper) isolate(ctx context.Context, verdicts []Verdict, err error) error {
	if errors.Is(err, ErrRevised) || ctx.Err() != nil {
		return err
	}
	if len(verdicts) == 1 {
		return k.strike(ctx, verdicts[0], err)
	}
	half := len(verdicts) / 2
	for _, part := range [][]Verdict{verdicts[:half], verdicts[half:]} {
		if err := k.store(ctx, part); err != nil {
			if err := k.isolate(ctx, part, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// strike puts events aside that the ledger refused to decide, or ends them as dead
// when that was the last try. That the ledger can note this shows that it works.
func (k *keeper) strike(ctx context.Context, v Verdict, refused error) error {
	if len(v.Events) == 0 {
		return refused
	}
	n := 0
	for _, at := range v.Events {
		n = max(n, k.strikes[k.window[at].ID].n+1)
	}
	note := Verdict{Events: v.Events, State: EventHeld, Reason: ReasonTrouble}
	if n >= deadAfter {
		note.State, note.Reason = EventDead, clip(fmt.Sprintf("refused: %d times: %v", n, refused))
	}
	if err := k.store(ctx, []Verdict{note}); err != nil {
		return refused
	}
	if final(note.State) {
		k.m.opts.Log.Error().Str(keyTrigger, k.name).Str("event", k.window[v.Events[0]].ID).Err(refused).Msg("an event can't be decided and is dead")
		return nil
	}
	if k.strikes == nil {
		k.strikes = strikes{}
	}
	wait := strikeWait
	for range n - 1 {
		wait *= 5
	}
	for _, at := range v.Events {
		k.strikes[k.window[at].ID] = strike{n: n, at: time.Now().Add(wait)}
		k.strikes.hold(&k.window[at])
	}
	return nil
}

// hold keeps an event out of batches until its next try.
func (s strikes) hold(p *Pending) {
	switch one, struck := s[p.ID]; {
	case struck && time.Now().Before(one.at):
		p.Check.Hold = ReasonTrouble
	case p.Check.Hold == ReasonTrouble:
		p.Check.Hold = ""
	}
}

// part tells apart what may be refused again.
func (s strikes) part(verdicts []Verdict, pending []Pending) (clean, suspect []Verdict) {
	if len(s) == 0 {
		return verdicts, nil
	}
	for _, v := range verdicts {
		if v.State != EventHeld && s.has(v, pending) {
			suspect = append(suspect, v)
		} else {
			clean = append(clean, v)
		}
	}
	return clean, suspect
}

func (s strikes) has(v Verdict, pending []Pending) bool {
	for _, at := range v.Events {
		if _, struck := s[pending[at].ID]; struck {
			return true
		}
	}
	return false
}

// decided forgets an event that is final.
func (s strikes) decided(p *Pending) {
	if len(s) > 0 && final(p.State) {
		delete(s, p.ID)
	}
}

// next is when to try one of the pending events again; zero: none is held for that.
func (s strikes) next(pending []Pending) (at time.Time) {
	if len(s) == 0 {
		return at
	}
	for i := range pending {
		one, struck := s[pending[i].ID]
		if struck && pending[i].Check.Hold == ReasonTrouble && (at.IsZero() || one.at.Before(at)) {
			at = one.at
		}
	}
	return at
}
