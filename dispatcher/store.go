package dispatcher

import (
	"context"
	"encoding/json"
	"io"

	"github.com/latticed/latticed/graph"
)

// Store is what the dispatcher needs to remember. Every method that changes
// something is one transaction; when it returns nil the change survives power loss.
type Store interface {
	// InsertDispatch stores d (status new or pending) and returns it with Number,
	// RootID, CreatedAt and Seq filled in. One with d.First is stored as running since
	// CreatedAt, and so are those attempts.
	InsertDispatch(ctx context.Context, d graph.Dispatch) (graph.Dispatch, error)
	// InsertSweep stores dispatches that graph.Together made a sweep, all or none. Unless
	// exact, a number is added to a name that another sweep has.
	InsertSweep(ctx context.Context, ds []graph.Dispatch, exact bool) ([]graph.Dispatch, error)
	// StartDispatch moves new → pending; ErrStale otherwise.
	StartDispatch(ctx context.Context, id string) (graph.Dispatch, error)
	// RequestCancel ends a new or pending dispatch as cancelled at once, and marks a
	// running one; a terminal or already marked one is returned as it is. It tells
	// whether this call has changed something.
	RequestCancel(ctx context.Context, id string) (graph.Dispatch, bool, error)
	// RequestCancels is RequestCancel for several; those that are gone are left out.
	RequestCancels(ctx context.Context, ids []string) ([]graph.Dispatch, []bool, error)

	// Live returns the running dispatches with Number > after, in order, for recovery.
	Live(ctx context.Context, after int64, limit int) ([]graph.Run, error)
	// Pending returns up to limit pending dispatches, oldest first, without those that
	// wait for another of their sweep, and those whose numbers skip knows.
	Pending(ctx context.Context, limit int, skip func(number int64) bool) ([]graph.Dispatch, error)
	// Run returns one dispatch with those of its electrons that have a row.
	Run(ctx context.Context, id string) (graph.Run, error)
	// RequestCancelElectrons marks electrons (index → name) that have not ended, unless
	// the dispatch is over. It tells how many this call has marked.
	RequestCancelElectrons(ctx context.Context, id string, electrons map[int]string) (graph.Dispatch, int, error)
	// Advance records a step.
	Advance(ctx context.Context, s graph.Step) error

	// Dispatch returns one by id or number, with its electron counts.
	Dispatch(ctx context.Context, idOrNumber string) (graph.Dispatch, error)
	// Standing returns the id of a dispatch (id or number) and the state it is in.
	Standing(ctx context.Context, idOrNumber string) (string, graph.Status, error)
	// Electron returns one electron of a dispatch; pending ones come from the lattice.
	Electron(ctx context.Context, dispatchID, name string) (graph.Electron, error)
	// Fingerprint returns what was recorded of a completed electron, nil: nothing was.
	Fingerprint(ctx context.Context, dispatchID string, electron int) (json.RawMessage, error)
	// Lattice returns a compiled lattice by id or name.
	Lattice(ctx context.Context, idOrName string) (*graph.Lattice, error)
	// InsertLattice stores l unless known. With name, l.Name points at it from now on.
	// It tells whether l was new.
	InsertLattice(ctx context.Context, l *graph.Lattice, name bool, owner string) (bool, error)

	// StageAsset makes the bytes durable; they count once a Step names them.
	StageAsset(ctx context.Context, r io.Reader) (graph.NewAsset, error)
	// OpenAsset opens stored bytes.
	OpenAsset(ctx context.Context, sha256 string) (io.ReadSeekCloser, error)
}
