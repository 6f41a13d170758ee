package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/latticed/latticed/graph"
)

// ErrNotFound means that there is no such trigger, dispatch or lattice.
var ErrNotFound = errors.New("not found")

// ErrRevised means that the trigger was edited or removed meanwhile; the manager
// loads it again.
var ErrRevised = errors.New("the trigger was revised meanwhile")

// Decision ends some events with one firing, or holds them.
type Decision struct {
	FiringID string
	EventIDs []string
	// State is a final one, or EventHeld with a Reason; EventPending releases.
	State      EventState
	Reason     string
	Dispatches []graph.Dispatch // inserted with the firing, status pending
	// DedupeKeys are kept with the events of a fired decision, in the order of
	// EventIDs; nil when the trigger has no dedupe_key.
	DedupeKeys []string
	// Cancel asks this many of the trigger's dispatches in flight to end: the oldest
	// that were not asked yet. Such a decision has no events and makes no firing.
	Cancel int
}

// Fired is what decisions have done.
type Fired struct {
	Dispatches []graph.Dispatch // inserted, with their numbers
	Cancelled  []string         // ids of the dispatches that were asked to end
}

// Recorded is what a batch has done.
type Recorded struct {
	Events     []Event          // that were new, with their Seq
	Dispatches []graph.Dispatch // inserted, with their numbers
}

// FiredEvent is an event with the dispatches it has become, by id. They may be deleted
// by now.
type FiredEvent struct {
	Event
	Dispatch string // the first
	Last     string // the same, unless it is a sweep
}

// Counts is what the gate needs to know beside the window of events.
type Counts struct {
	Pending  int64 // pending and held events in all
	InFlight int   // non-terminal dispatches of the trigger, all revisions
	Ending   int   // those of them that were asked to end
}

// Ledger is where triggers live. Every method that changes something is one
// transaction; when it returns nil the change survives power loss.
type Ledger interface {
	// Triggers returns all triggers that were not removed.
	Triggers(ctx context.Context) ([]Trigger, error)
	// Trigger returns one by id or name, or ErrNotFound.
	Trigger(ctx context.Context, idOrName string) (Trigger, error)
	// CreateTrigger stores revision 1 with state preparing. A taken name is a
	// *ConflictError.
	CreateTrigger(ctx context.Context, t Trigger) (Trigger, error)
	// ReviseTrigger stores t as revision t.Revision+1, provided that t.Revision is
	// still the stored one (else ErrRevised). How the trigger is doing is left as it is
	// stored: State, Reason, NextAt and when the last event and firing were. Events that
	// are held for a loop are of generation 0 then. It returns the trigger as stored.
	ReviseTrigger(ctx context.Context, t Trigger) (Trigger, error)
	// RemoveTrigger ends the pending events as skipped (reason trigger_removed) and
	// removes the trigger from lists; its history stays.
	RemoveTrigger(ctx context.Context, id string) error
	// SetTriggerState records how a trigger is doing; no change, no write. A zero
	// next leaves the stored NextAt. The end of a pause counts as an update: UpdatedAt
	// becomes now.
	SetTriggerState(ctx context.Context, id string, s State, reason string, next time.Time) error

	// Cursor returns what the last batch left, nil at first.
	Cursor(ctx context.Context, id string) (json.RawMessage, error)
	// Entities calls f for each entity of the inventory in order of Key, in pages
	// that hold no lock between them.
	Entities(ctx context.Context, id string, f func(Change) error) error

	// Entity returns one entity of the inventory, false when there is none.
	Entity(ctx context.Context, id string, key []byte) (Change, bool, error)

	// Record saves a batch and, in the same transaction, decisions that name events
	// of the batch (only those) by id. An event with a known key is dropped, but if it
	// Amends and that one is undecided, that one takes over its payload and is held for
	// its turn (backlog). A decision that names a dropped event is dropped whole: its
	// other events stay pending.
	Record(ctx context.Context, id string, revision int, b Batch, ds []Decision) (Recorded, error)
	// Fire applies decisions. A decision is dropped when one of its events is final
	// already.
	Fire(ctx context.Context, id string, revision int, ds []Decision) (Fired, error)
	// Window returns up to limit pending and held events with Seq > after, oldest first.
	Window(ctx context.Context, id string, after int64, limit int) ([]Event, error)
	// Counts returns the numbers of now.
	Counts(ctx context.Context, id string) (Counts, error)
	// Fired returns those of the dedupe keys that were kept with fired events of the
	// trigger, over all its revisions.
	Fired(ctx context.Context, id string, keys []string) ([]string, error)

	// Recent returns when the newest firings that made a dispatch were made, without
	// those by hand: up to limit of those at or after since, oldest first.
	Recent(ctx context.Context, id string, since time.Time, limit int) ([]time.Time, error)
	// LastFired returns events about a path that have become dispatches: up to limit of
	// the newest, oldest first.
	LastFired(ctx context.Context, id string, limit int) ([]FiredEvent, error)
	// Runs tells how the dispatches of a trigger stand.
	Runs(ctx context.Context, id string) (Runs, error)

	// Event returns one event of a trigger by its id, or ErrNotFound.
	Event(ctx context.Context, id, event string) (Event, error)
	// Known returns those of the keys that events of the trigger have.
	Known(ctx context.Context, id string, keys []string) ([]string, error)
	// Past returns events in the given final states with Seq > after, oldest first.
	Past(ctx context.Context, id string, states []EventState, after int64, limit int) ([]Event, error)
	// About returns the events of a trigger whose payload has this path, newest first.
	About(ctx context.Context, id, path string, limit int) ([]Event, error)

	// Ends returns the ends of dispatches after the given place in their order, up to
	// limit, in that order, and the place to go on from; with after < 0 only that place,
	// as it is now. What was changed after its end does not come again.
	Ends(ctx context.Context, after int64, limit int) ([]End, int64, error)
	// Ended returns all about some of them, in their order; those that are deleted are
	// left out.
	Ended(ctx context.Context, ends []End) ([]Ended, error)

	// Dispatch and Lattice read a target. graph.Lattice is compiled and cached.
	Dispatch(ctx context.Context, idOrNumber string) (graph.Dispatch, error)
	// Lattice returns a lattice by id or name.
	Lattice(ctx context.Context, idOrName string) (*graph.Lattice, error)
}

// ConflictError means that a name is taken or a state forbids the change.
type ConflictError struct {
	Code, Message string
	Found         int // with confirm_required: the number to confirm
}

func (e *ConflictError) Error() string { return e.Message }
