package triggers

import "time"

// Alarm says that a trigger has become failing, or works again.
type Alarm struct {
	Trigger string    `json:"trigger"`
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	State   State     `json:"state"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}
