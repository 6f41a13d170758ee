package store

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var errSoon = errors.New("soon")

// Store keeps everything that must survive.
type Store struct{}

// Open opens the state directory, creating it when it is new.
func Open(ctx context.Context, dir string, o Options) (*Store, error) { return nil, errSoon }

// Close waits for what was accepted and lets go of the directory.
func (s *Store) Close() error { return errSoon }

// Replay returns the answer that was given to o before, if any; ErrKeyReused when its body differs.
func (s *Store) Replay(ctx context.Context, o Once) (Answer, bool, error) {
	return Answer{}, false, errSoon
}

func (s *Store) InsertDispatch(ctx context.Context, d graph.Dispatch) (graph.Dispatch, error) {
	return d, errSoon
}

func (s *Store) StartDispatch(ctx context.Context, id string) (graph.Dispatch, error) {
	return graph.Dispatch{}, errSoon
}

func (s *Store) RequestCancel(ctx context.Context, id string) (graph.Dispatch, error) {
	return graph.Dispatch{}, errSoon
}

func (s *Store) Live(ctx context.Context, after int64, limit int) ([]graph.Run, error) {
	return nil, errSoon
}
func (s *Store) Claim(ctx context.Context, limit int) ([]graph.Run, error) { return nil, errSoon }
func (s *Store) Advance(ctx context.Context, st graph.Step) error          { return errSoon }
func (s *Store) Dispatch(ctx context.Context, idOrNumber string) (graph.Dispatch, error) {
	return graph.Dispatch{}, errSoon
}

func (s *Store) Dispatches(ctx context.Context, f DispatchFilter) (ds []graph.Dispatch, next string, err error) {
	return nil, "", errSoon
}

func (s *Store) Electrons(ctx context.Context, dispatch string, statuses []graph.Status, after string, limit int) (es []graph.Electron, next string, err error) {
	return nil, "", errSoon
}

func (s *Store) Electron(ctx context.Context, dispatch, name string) (graph.Electron, error) {
	return graph.Electron{}, errSoon
}

func (s *Store) PatchDispatch(ctx context.Context, id string, p DispatchPatch) (graph.Dispatch, error) {
	return graph.Dispatch{}, errSoon
}
func (s *Store) DeleteDispatch(ctx context.Context, id string) error { return errSoon }

func (s *Store) Lattice(ctx context.Context, idOrName string) (*graph.Lattice, error) {
	return nil, errSoon
}

func (s *Store) InsertLattice(ctx context.Context, l *graph.Lattice, name bool, owner string) (bool, error) {
	return false, errSoon
}

func (s *Store) LatticeInfo(ctx context.Context, idOrName string) (LatticeInfo, error) {
	return LatticeInfo{}, errSoon
}

func (s *Store) Lattices(ctx context.Context, f LatticeFilter) (ls []LatticeInfo, next string, err error) {
	return nil, "", errSoon
}
func (s *Store) DeleteLattice(ctx context.Context, idOrName string) error { return errSoon }

// StageAsset makes bytes durable; they count once a Step names them.
func (s *Store) StageAsset(ctx context.Context, r io.Reader) (graph.NewAsset, error) {
	return graph.NewAsset{}, errSoon
}

// PutAsset stores an upload; with sha256 the bytes must match (*HashError).
func (s *Store) PutAsset(ctx context.Context, r io.Reader, sha256, owner string) (graph.Asset, error) {
	return graph.Asset{}, errSoon
}

func (s *Store) OpenAsset(ctx context.Context, sha256 string) (io.ReadSeekCloser, error) {
	return nil, errSoon
}

func (s *Store) Triggers(ctx context.Context) ([]triggers.Trigger, error) { return nil, errSoon }
func (s *Store) TriggersPage(ctx context.Context, f TriggerFilter) (ts []triggers.Trigger, next string, err error) {
	return nil, "", errSoon
}

func (s *Store) Trigger(ctx context.Context, idOrName string) (triggers.Trigger, error) {
	return triggers.Trigger{}, errSoon
}

func (s *Store) CreateTrigger(ctx context.Context, t triggers.Trigger) (triggers.Trigger, error) {
	return t, errSoon
}

func (s *Store) ReviseTrigger(ctx context.Context, t triggers.Trigger) (triggers.Trigger, error) {
	return t, errSoon
}
func (s *Store) RemoveTrigger(ctx context.Context, id string) error { return errSoon }
func (s *Store) SetTriggerState(ctx context.Context, id string, st triggers.State, reason string, next time.Time) error {
	return errSoon
}

func (s *Store) Cursor(ctx context.Context, id string) (json.RawMessage, error) { return nil, errSoon }

func (s *Store) Entities(ctx context.Context, id string, f func(triggers.Change) error) error {
	return errSoon
}

// Entity returns one entity of the inventory.
func (s *Store) Entity(ctx context.Context, id string, key []byte) (triggers.Change, error) {
	return triggers.Change{}, errSoon
}

func (s *Store) Record(ctx context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) ([]triggers.Event, error) {
	return nil, errSoon
}

func (s *Store) Fire(ctx context.Context, id string, revision int, ds []triggers.Decision) ([]graph.Dispatch, error) {
	return nil, errSoon
}

func (s *Store) Window(ctx context.Context, id string, after int64, limit int) ([]triggers.Event, error) {
	return nil, errSoon
}

func (s *Store) Counts(ctx context.Context, id string) (triggers.Counts, error) {
	return triggers.Counts{}, errSoon
}

// Events returns events of a trigger (id or name), newest first. No states: all.
func (s *Store) Events(ctx context.Context, trigger string, states []triggers.EventState, limit int, after string) (es []triggers.Event, next string, err error) {
	return nil, "", errSoon
}

// Event returns one by id.
func (s *Store) Event(ctx context.Context, id string) (triggers.Event, error) {
	return triggers.Event{}, errSoon
}

// EventsByKeyPrefix returns events of a trigger whose key begins with prefix, newest first.
func (s *Store) EventsByKeyPrefix(ctx context.Context, trigger, prefix string, limit int) ([]triggers.Event, error) {
	return nil, errSoon
}

// EventsByPath returns events about a path (payload path or path_b64), newest first;
// trigger may be empty.
func (s *Store) EventsByPath(ctx context.Context, trigger, path string, limit int) ([]triggers.Event, error) {
	return nil, errSoon
}

// Firings returns firings of a trigger (id or name), newest first. No decisions: all.
func (s *Store) Firings(ctx context.Context, trigger string, decisions []triggers.EventState, limit int, after string) (fs []triggers.Firing, next string, err error) {
	return nil, "", errSoon
}

// Firing returns one by id.
func (s *Store) Firing(ctx context.Context, id string) (triggers.Firing, error) {
	return triggers.Firing{}, errSoon
}

// ChangedSince returns what changed after seq, in order, each thing in its latest
// state. reset: that far back nothing is known, the reader starts over with lists.
func (s *Store) ChangedSince(ctx context.Context, seq int64, limit int) (cs []Change, reset bool, err error) {
	return nil, false, errSoon
}

// Seq returns the sequence number of the last commit.
func (s *Store) Seq() int64 { return 0 }

// Watch wakes after commits that touched a dispatch: the channel has one slot. The
// function ends it.
func (s *Store) Watch(dispatchID string) (<-chan struct{}, func()) { return nil, nil }

// WatchAll wakes after every commit.
func (s *Store) WatchAll() (<-chan struct{}, func()) { return nil, nil }

// Health returns nil, or why the last write failed (ErrDiskFull, ErrBusy …).
func (s *Store) Health() error { return nil }

// Stats returns counters and sizes.
func (s *Store) Stats() Stats { return Stats{} }

// Stats counts what the store did since it was opened.
type Stats struct {
	Units    int64         // changes committed
	Refused  int64         // changes rolled back alone
	Commits  int64         // transactions
	Failures int64         // transactions that failed as a whole
	Busy     time.Duration // time the writer worked
	Queue    int           // changes waiting now
	DBBytes  int64
	WALBytes int64
	Seq      int64
}

// Gauges are counted in the database.
type Gauges struct{ DispatchesPending, DispatchesRunning, EventsPending, EventsHeld int64 }

// Gauges counts what is under way.
func (s *Store) Gauges(ctx context.Context) (Gauges, error) { return Gauges{}, errSoon }
