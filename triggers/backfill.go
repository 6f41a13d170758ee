package triggers

import (
	"context"
	"time"
)

// Backfiller is implemented by sources that can report what is there already as if it
// came now.
type Backfiller interface {
	// Backfill calls f with events, some at a time, until f gives an error, which it
	// returns. Events with a known key are dropped by f. It is called beside Run,
	// from another goroutine, and stores nothing itself.
	Backfill(ctx context.Context, from From, r Range, f func([]Event) error) error
}

// Range is what a backfill is about; zero values do not restrict it.
type Range struct {
	Path  string    // a file or folder inside what is watched
	Since time.Time // of the modification, or the instant
	Until time.Time
}

// Backfilled is what a backfill did, or would do.
type Backfilled struct {
	Found   int `json:"found"`   // things there
	Known   int `json:"known"`   // of them, events already
	Emitted int `json:"emitted"` // new events
}

// Backfill makes events of what is there already.
func (m *Manager) Backfill(ctx context.Context, idOrName string, r Range, confirm int, dry bool, by Principal) (Backfilled, error) {
	return Backfilled{}, errUnwritten
}
