package triggers

import (
	"fmt"
	"time"
)

// Removed is the state in the Alarm about a trigger that was removed while it failed.
const Removed State = "removed"

// Alarm says that a trigger has become failing, or fails for another reason now, or
// does not any more: it works again, was paused, or was removed.
type Alarm struct {
	Trigger string    `json:"trigger"`
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	State   State     `json:"state"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// alarm tells whoever wants to know that a trigger fails, and that it does no longer.
// It is called with what people are shown, each time that changes.
func (m *Manager) alarm(k *keeper, s State, reason string) {
	if m.opts.Alarm == nil || s == Preparing { // what comes after that counts
		return
	}
	if s == Failing {
		m.failing.Store(k.id, true)
	} else if _, was := m.failing.LoadAndDelete(k.id); !was {
		return
	}
	m.opts.Alarm(Alarm{Trigger: k.name, ID: k.id, Kind: k.kind, State: s, Reason: reason, At: time.Now()})
}

// rejectedInARow is how many decisions in a row have to be rejections for the trigger
// to count as degraded.
const rejectedInARow = 5

// notice looks at decisions that were stored: a trigger that only rejects looks well,
// and does nothing. It is kept in memory only. k.mu is held.
func (k *keeper) notice(verdicts []Verdict) {
	was := k.health.rejects
	for _, v := range verdicts {
		switch v.State {
		case EventFired:
			k.rejections, k.health.rejects = 0, ""
		case EventRejected:
			if k.rejections++; k.rejections >= rejectedInARow && k.health.rejects == "" {
				k.health.rejects = clip(fmt.Sprintf("the last %d decisions were rejections, the last one for %s; set the trigger right, then `latticed trigger retry %s` runs them again", k.rejections, v.Reason, k.name))
			}
		case EventPending, EventHeld, EventSkipped, EventDead:
		}
	}
	if k.health.rejects != was {
		k.storeHealth(k.ctx)
	}
}
