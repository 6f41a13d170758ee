package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
)

// Executor runs attempts on this machine through a runner. It is safe for concurrent use.
type Executor struct {
	o    Options
	boot string
	env  atomic.Pointer[[]string] // Options.Env and PassEnv

	dialing sync.Mutex // one goroutine connects at a time
	mu      sync.Mutex
	links   map[int]*link // by protocol
	retired map[*link]struct{}
	sent    []runner.Release // the last ones that may not have arrived
	closed  bool
	wg      sync.WaitGroup // readers of links
}

var (
	_ executors.Executor = (*Executor)(nil)
	_ executors.Handler  = (*Executor)(nil)
	_ executors.Logger   = (*Executor)(nil)
	_ executors.Checker  = (*Executor)(nil)
	_ executors.Settler  = (*Executor)(nil)
)

// New returns an executor. It connects to the runner, or starts one, when it is first
// needed, and whenever the connection was lost.
func New(o Options) (*Executor, error) {
	if o.StateDir == "" {
		return nil, errors.New("the local executor needs a state directory")
	}
	if err := o.defaults(); err != nil {
		return nil, err
	}
	if o.RuntimeDir != "" { // runners don't make it: they might do so after it was removed
		if err := os.MkdirAll(o.RuntimeDir, 0o700); err != nil {
			return nil, fmt.Errorf("folder of the runner's socket: %w", err)
		}
	}
	boot, err := runner.BootID()
	if err != nil {
		return nil, err
	}
	e := &Executor{o: o, boot: boot, links: map[int]*link{}, retired: map[*link]struct{}{}}
	e.SetEnv(o.Env, o.PassEnv)
	return e, nil
}

// SetEnv changes Options.Env and PassEnv for attempts that start from now on.
func (e *Executor) SetEnv(set map[string]string, pass []string) {
	env := extraEnv(set, pass)
	e.env.Store(&env)
}

// Kind is what lists of executors show.
func (e *Executor) Kind() string { return "local" }

// Close hangs up. Attempts go on.
func (e *Executor) Close() error {
	e.mu.Lock()
	e.closed = true
	for _, l := range e.links {
		l.conn.Close()
	}
	for l := range e.retired {
		l.conn.Close()
	}
	e.mu.Unlock()
	e.wg.Wait()
	return nil
}

// handle is what has to be remembered to find an attempt again.
type handle struct {
	BootID   string `json:"boot_id"`
	Protocol int    `json:"protocol"`
}

// restored is what a restore puts into the handles of attempts that ran at the backup.
const restored = "restored"

// Handle implements executors.Handler.
func (e *Executor) Handle(string) json.RawMessage {
	b, err := json.Marshal(handle{BootID: e.boot, Protocol: e.o.Runner.Protocol})
	if err != nil {
		return nil // two plain fields
	}
	return b
}

// Run implements executors.Executor. It survives the runner: when the connection drops
// it asks the next runner, which knows from the journal what has become of the attempt.
func (e *Executor) Run(ctx context.Context, t executors.Task) (executors.Result, error) {
	var h handle
	known := t.Handle != nil // it may have been started
	if known {
		_ = json.Unmarshal(t.Handle, &h) // another form says nothing, and the runner is asked
	}
	if h.BootID == restored {
		return e.lost(&t), fmt.Errorf("it ran when the backup was made that the daemon was restored from: %w", executors.ErrLost)
	}
	if h.BootID != "" && h.BootID != e.boot {
		return e.lost(&t), fmt.Errorf("the machine was restarted: %w", executors.ErrLost)
	}
	if ctx.Err() != nil && !known {
		if errors.Is(context.Cause(ctx), executors.ErrDetached) {
			return executors.Result{}, context.Cause(ctx)
		}
		return executors.Result{Cancelled: true}, nil
	}
	j, err := e.prepare(&t)
	if err != nil {
		return executors.Result{}, err
	}
	if known && h.Protocol != 0 && h.Protocol != e.o.Runner.Protocol {
		if res, err := e.runOld(ctx, j, h.Protocol); !errors.Is(err, errElsewhere) {
			return res, err
		}
	}
	for drops := 0; ; drops++ {
		l, err := e.link(ctx)
		if err != nil {
			return executors.Result{}, unreachable(ctx, err, known)
		}
		res, err := l.run(ctx, j, known, true)
		moved := errors.Is(err, errMoved)
		if moved {
			e.retire(l)
		} else if l.left.Load() {
			e.leaveOld(l) // it may have been the last
		}
		if !moved && !errors.Is(err, errDropped) {
			return res, err
		}
		known = known || !moved
		afterDrop(ctx, drops)
	}
}

// afterDrop waits before the runner is asked again: at first hardly, but what kills
// every runner that is told of it must not keep the machine busy.
func afterDrop(ctx context.Context, drops int) {
	t := time.NewTimer(min(time.Millisecond<<min(drops, 10), time.Second))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// runOld follows an attempt in a runner of another protocol. errElsewhere says that it
// has left or never saw the attempt, so that the one of our protocol may be asked.
func (e *Executor) runOld(ctx context.Context, j *job, protocol int) (executors.Result, error) {
	for drops := 0; ; drops++ {
		l, err := e.dial(ctx, protocol)
		switch {
		case errors.Is(err, errLeaving):
		case err == nil:
			res, err := l.run(ctx, j, true, false)
			e.leaveOld(l)
			if errors.Is(err, errMoved) {
				return executors.Result{}, errElsewhere
			}
			if !errors.Is(err, errDropped) {
				return res, err
			}
		case nobodyThere(err) || errors.Is(err, errNotOurs):
			return executors.Result{}, errElsewhere
		default:
			return executors.Result{}, unreachable(ctx, err, true)
		}
		afterDrop(ctx, drops)
		if errors.Is(context.Cause(ctx), executors.ErrDetached) {
			return executors.Result{}, context.Cause(ctx)
		}
	}
}

// unreachable says what it means that no runner can be talked to.
func unreachable(ctx context.Context, err error, known bool) error {
	if errors.Is(context.Cause(ctx), executors.ErrDetached) {
		return context.Cause(ctx)
	}
	if known {
		return fmt.Errorf("%w: %w", executors.ErrUnknown, err)
	}
	return err
}

// lost is the result beside ErrLost: there is something to be released.
func (e *Executor) lost(t *executors.Task) executors.Result {
	return executors.Result{
		WorkDir: runner.AttemptDir(e.o.StateDir, t.Attempt),
		Release: func(keep bool) { e.release(t.Attempt, keep) },
	}
}
