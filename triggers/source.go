package triggers

import (
	"context"
	"encoding/json"
)

// Source watches one thing for one trigger. Run blocks until ctx ends or the thing
// cannot be watched; the manager runs it again with back-off and shows why.
//
// A source compares the stored state with the world and emits the difference; hints
// (inotify, timers) only make it look earlier. Its first act is to bring the stored
// state up to date: with an empty cursor it takes its baseline and emits it, even
// when it holds nothing, so that registration can answer.
type Source interface {
	Run(ctx context.Context, from From, emit Emit) error
}

// From is where a source left off.
type From struct {
	Cursor   json.RawMessage                                       // nil at first
	Entities func(ctx context.Context, f func(Change) error) error // the stored inventory, in order of Key
	Health   func(State, string)                                   // reports active or degraded with a reason; cheap when nothing changed
}

// Emit saves a batch; nil means that it is durable. It blocks while the trigger has
// too much undecided, which is how a source learns to slow down.
type Emit func(ctx context.Context, b Batch) error
