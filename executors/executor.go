package executors

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/latticed/latticed/graph"
)

// Executor runs attempts somewhere. Run is called from one goroutine per attempt
// and blocks until the attempt has ended and nothing of it is left.
//
// Starting is idempotent by Task.Attempt: a second Run of the same attempt, in this
// process or a later one, joins the first. A task that carries a handle was started,
// or was about to be started, by an earlier process.
//
// The error tells what the Result can't:
//   - nil: the attempt ended; Result says how (also exit codes, timeouts, signals).
//   - Permanent(err): it could not be started and never will be; a *Failure in it
//     carries the code that users see.
//   - ErrLost: it may have run and nobody saw its end.
//   - ErrUnknown: whether it runs could not be learned; ask again, do not fail it.
//   - ErrSurvivors: ctx ended, and something of it is left after KILL; Run again with
//     an ended context looks again.
//   - the cause of ctx: see ErrDetached and ErrCancelled.
//   - anything else: could not be started now; may be tried again.
//
// When ctx ends with cause ErrDetached, Run returns at once and leaves the attempt
// alone. With any other cause the attempt is ended (TERM, Task.Grace, KILL) and Run
// returns only when nothing of it is left, with Result.Cancelled set.
type Executor interface {
	Run(ctx context.Context, t Task) (Result, error)
}

// Handler is implemented by executors that need to remember something before an
// attempt starts (the boot id of the machine, say). It is recorded with the start.
type Handler interface {
	Handle(attempt string) json.RawMessage
}

// Logger is implemented by executors whose running attempts can be read.
type Logger interface {
	// Log opens what the attempt has written so far to "stdout" or "stderr". After
	// io.EOF there may be more while the attempt runs. os.ErrNotExist: no such attempt here.
	Log(ctx context.Context, attempt, stream string) (io.ReadSeekCloser, error)
}

// Checker is implemented by executors that can tell whether they would work.
type Checker interface {
	Check(ctx context.Context) error
}

// Settler is implemented by executors that hold on to ended attempts until Release.
// Settle is called after each start of the daemon, once every live attempt is known:
// ended attempts for which live answers false were stored by a process that died
// before it could release them; the executor releases them now, keeping the
// directories of failed ones.
type Settler interface {
	Settle(ctx context.Context, live func(attempt string) bool) error
}

var (
	// ErrLost means that nobody saw the end of an attempt that may have run.
	ErrLost = errors.New("nobody saw its end")
	// ErrUnknown means that the state could not be learned; it is not a failure.
	ErrUnknown = errors.New("its state could not be learned")
	// ErrSurvivors means that something of an ended attempt is left and won't die.
	ErrSurvivors = errors.New("processes of it are left that won't die")
	// ErrDetached is the cause that leaves a running attempt alone.
	ErrDetached = errors.New("the daemon stops; the attempt goes on")
	// ErrCancelled is the cause that ends a running attempt.
	ErrCancelled = errors.New("cancelled")
)

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks err as one that trying again will not help.
func Permanent(err error) error { return permanent{err} }

// IsPermanent tells whether err was marked by Permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// Task is one attempt with everything resolved: no expression is left in it.
type Task struct {
	Attempt  string // UUIDv7, the key of everything
	Dispatch string
	Number   int64 // of the dispatch
	Electron string
	RunAs    string

	Body    graph.Body        // exactly one of run, bash, python
	Argv    []string          // resolved Body.Run; nil for bash and python
	Env     map[string]string // the electron's own; the executor adds the base
	Unset   []string          // names the electron's env sets to null
	Args    map[string]any    // written as JSON for $LATTICED_ARGS; nil when it has none
	Pickles map[string]File   // by argument name: the python object to hand over instead

	Files     []File          // laid out in the working directory before the start
	Outputs   []graph.Output  // collected after a successful end
	Result    string          // "", "json", "text" or "lines"
	Timeout   time.Duration   // 0: none
	Grace     time.Duration   // between TERM and KILL
	Resources graph.Resources // what is asked for
	Handle    json.RawMessage // set when an earlier process recorded the start

	// Report, when set, is told of conditions worth showing while the attempt runs:
	// code "survivors" while something of it can't be ended, "" when that has passed.
	// It may be called from any goroutine until Run returns, and must not block.
	Report func(code, detail string)
}

// File is bytes to be laid out, or bytes that were produced.
type File struct {
	Name     string // path relative to the working directory, or an output's name
	Size     int64
	ReadOnly bool
	Data     []byte                   // set for small ones
	Open     func() (*os.File, error) // otherwise; the caller closes
}

// Result is how an attempt ended and what it left.
type Result struct {
	ExitCode  *int            // nil when killed or never started
	Signal    string          // SIGKILL …, empty when none
	Error     *graph.Error    // nil when it succeeded; Attempt and Electron are filled in by the caller
	Cancelled bool            // ended because the context did
	Value     json.RawMessage // nil: no result
	Pickle    *File
	Outputs   map[string]File // by output name
	Stdout    *File           // nil when empty
	Stderr    *File
	Handle    json.RawMessage
	Usage     *graph.Usage
	StartedAt time.Time
	EndedAt   time.Time
	WorkDir   string   // where it ran; still there until Release
	Notes     []string // worth showing: "2 left-over processes ended", "log cut: 12345 bytes"

	// Release is called once, after the end is stored: the executor forgets the
	// attempt and removes its directory, or keeps it for later inspection. It is nil
	// when there is nothing to release, and may be set beside an error: an attempt
	// reported as ErrLost stays known until then, so that it is never run again.
	Release func(keep bool)
}
