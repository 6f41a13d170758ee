package triggers

import "time"

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

	// Before says that this is how the trigger was left when it ran last: it was
	// failing already before the start of the daemon, which has not looked yet.
	Before bool `json:"-"`
}

// alarm tells whoever wants to know that a trigger fails, and that it does no longer.
// It is called with what people are shown, each time that changes; before says that it
// comes from the ledger.
func (m *Manager) alarm(k *keeper, s State, reason string, before bool) {
	if m.opts.Alarm == nil || s == Preparing { // what comes after that counts
		return
	}
	if s == Failing {
		m.failing.Store(k.id, true)
	} else if _, was := m.failing.LoadAndDelete(k.id); !was {
		return
	}
	m.opts.Alarm(Alarm{Trigger: k.name, ID: k.id, Kind: k.kind, State: s, Reason: reason, At: time.Now(), Before: before})
}
