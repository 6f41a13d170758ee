package triggers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/latticed/latticed/graph"
)

// Source watches one thing for one trigger. Run blocks until ctx ends or the thing
// cannot be watched; the manager runs it again with back-off and shows why.
//
// A source compares the stored state with the world and emits the difference; hints
// (inotify, timers) only make it look earlier. Its first act is to bring the stored
// state up to date: with an empty cursor it takes its baseline and emits it, even
// when it holds nothing, so that registration can answer.
//
// A source that only waits need not keep a goroutine for that: it returns Until(t), and
// is run again then, or as soon as somebody calls From.Wake. It may keep what it knows
// from one run to the next; if it holds anything that has to be given back it is an
// io.Closer, which is closed once when it will not run any more. After any other error
// Run begins anew, from the stored state.
type Source interface {
	Run(ctx context.Context, from From, emit Emit) error
}

// Until is what Run returns when there is nothing to do before t. It is no failure.
func Until(t time.Time) error { return &UntilError{At: t} }

// UntilError is the error of Until.
type UntilError struct{ At time.Time }

func (e *UntilError) Error() string { return "nothing to do before " + e.At.Format(time.RFC3339) }

// From is where a source left off.
type From struct {
	Trigger  string                                                // its id
	Cursor   json.RawMessage                                       // nil at first
	Entities func(ctx context.Context, f func(Change) error) error // the stored inventory, in order of Key
	// Entity is one entity of the stored inventory; false when there is none.
	Entity func(ctx context.Context, key []byte) (Change, bool, error)
	// Runs tells how the dispatches of the trigger stand; see Made.AfterRuns.
	Runs func(ctx context.Context) (Runs, error)
	// Ended returns dispatches that ended after the given place in the order of ends and
	// that Made.Follows is about, up to limit, in that order, and the place to go on from,
	// which is the same when there is nothing more; with after < 0 only that place, as it
	// is now.
	Ended func(ctx context.Context, after int64, limit int) ([]Ended, int64, error)
	// Known returns those of the keys that events of the trigger have.
	Known func(ctx context.Context, keys []string) ([]string, error)
	// Fits tells whether the expressions of the trigger fit events with these fields, see
	// Describer; else the error is *graph.Invalid. It costs about as much as registration.
	Fits   func(event graph.Env) error
	Health func(State, string) // reports active, degraded or failing with a reason; cheap when nothing changed

	// Wake ends the waiting of a source that has returned Until; called during Run,
	// it makes that be followed by another. It never blocks, any goroutine may call
	// it at any time, and it is the same in all runs.
	Wake func()
}

// Runs is how the dispatches of a trigger stand.
type Runs struct {
	Undecided int64     // events that may still become dispatches
	InFlight  int       // dispatches that have not ended
	LastEnd   time.Time // when the last one ended; zero: none has
}

// Ended is a dispatch that has reached its end.
type Ended struct {
	graph.Dispatch
	Seq int64 // of its end: the order in which dispatches have ended
	// Causes are the triggers (ids) whose firings led to it over the ends of other
	// dispatches, its own first, as far back as is looked. Each is there as often as it
	// took part, which is once more than the Generation of the last event of it.
	Causes []string
}

// Emit saves a batch; nil means that it is durable. After an error nothing of the
// batch was saved and Run returns that error: it is run again from the stored state.
// What can't be decided yet waits as rows in the ledger, so Emit blocks for no longer
// than a transaction takes. It is called from the goroutine of Run only.
type Emit func(ctx context.Context, b Batch) error
