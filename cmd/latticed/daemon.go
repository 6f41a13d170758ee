package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/latticed/latticed/api"
	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local"
	"github.com/latticed/latticed/executors/local/runner"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/chain"
	"github.com/latticed/latticed/triggers/database"
	"github.com/latticed/latticed/triggers/directory"
	"github.com/latticed/latticed/triggers/timer"
	"github.com/latticed/latticed/triggers/webhook"
)

// socketGroup may use the socket, when the machine has it.
const socketGroup = "latticed"

// daemon is the house put together. Its rooms start in the order of the fields and
// stop in the reverse.
type daemon struct {
	log zerolog.Logger

	store      *store.Store
	local      *local.Executor
	dispatcher *dispatcher.Dispatcher
	triggers   *triggers.Manager
	folders    func() directory.Stats
	databases  func() database.Stats
	bell       *bell
	janitor    *janitor
	gauge      *gauge
	larder     *larder
	api        *api.Server
	listener   net.Listener
	doors      []*api.Door

	rooms  []*room
	failed chan error // a room ended by itself
}

// room is a part that runs until it is stopped.
type room struct {
	name string
	stop context.CancelCauseFunc
	done chan error
}

const (
	keyComponent = "component"
	keyErr       = "err"
	keyDur       = "dur" // milliseconds
)

// stopLimit is how long one room may take to stop before it is left behind.
const stopLimit = 15 * time.Second

// serve runs the daemon until ctx ends. At SIGHUP it reads the configuration again.
func serve(ctx context.Context, cfg Config, read func() (Config, error), log zerolog.Logger) (err error) {
	came, deaf := hangups()
	defer deaf()
	began := time.Now()
	d := &daemon{log: log.With().Str(keyComponent, "serve").Logger(), failed: make(chan error, 8)}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.open(ctx, cfg, log, runner.Options{}); err != nil {
		if ctx.Err() != nil { // told to stop in the middle of it
			d.log.Info().Err(err).Msg("stopped while starting")
			return nil
		}
		return err
	}
	if err := d.begin(ctx); err != nil {
		return err
	}
	d.start("reload", (&reloader{d: d, now: cfg, read: read, came: came}).Run)
	d.log.Info().Str("socket", cfg.Paths.Socket).Strs("listen", addresses(d.doors)).Str("state_dir", cfg.Paths.StateDir).Str("version", version).
		Dur(keyDur, time.Since(began)).Msg("serving")
	notify(d.log, ready(cfg.Paths.Socket))
	return d.live(ctx)
}

// live feeds the watchdog until ctx ends, or a room ends by itself.
func (d *daemon) live(ctx context.Context) (err error) {
	feed, stop := context.WithCancel(ctx)
	feeding := d.feedWatchdog(feed)
	settled := time.NewTimer(settleIn)
	defer settled.Stop()
	defer pace()()
	for ended := false; !ended; {
		select {
		case <-settled.C:
			settle(d.log)
		case <-ctx.Done():
			ended = true
		case err = <-d.failed:
			ended = true
		}
	}
	notify(d.log, stopping)
	stop()
	<-feeding
	return err
}

// open makes the rooms; nothing runs yet.
func (d *daemon) open(ctx context.Context, cfg Config, log zerolog.Logger, limits runner.Options) error {
	runAs, runnerUID, err := runAs(cfg.Paths.Runner)
	if err != nil {
		return err
	}
	if d.store, err = store.Open(ctx, cfg.Paths.StateDir, store.Options{Log: log}); err != nil {
		return err
	}
	restored, err := d.restored(ctx)
	if err != nil {
		return err
	}
	l := cfg.Executors.Local
	d.local, err = local.New(local.Options{
		StateDir: cfg.Paths.StateDir, Socket: cfg.Paths.Runner, RunnerUID: runnerUID, RuntimeDir: limits.RuntimeDir,
		Env: l.Env, PassEnv: l.PassEnv, Runner: limits, Log: log,
	})
	if err != nil {
		return fmt.Errorf("local executor: %w", err)
	}
	execs := map[string]executors.Executor{"local": d.local}
	d.dispatcher = dispatcher.New(d.store, execs, dispatcher.Options{
		Parallel: l.Parallel, Ended: d.ended, Restored: restored, Log: log,
	})
	d.janitor = newJanitor(d.store, cfg.Retention, log)
	d.gauge = newGauge(cfg.Paths.StateDir, cfg.Limits, d.dispatcher, log)
	d.larder = newLarder(cfg.Paths.StateDir)
	folders, counted := directory.Counted(directory.Options{Roots: cfg.Paths.Watch})
	d.folders = counted
	hub := webhook.New(d.incoming)
	sqlite, databases, polled := database.New(database.Options{Own: filepath.Join(cfg.Paths.StateDir, "latticed.db"), Roots: cfg.Paths.Watch})
	d.databases = polled
	kinds := triggers.Kinds{"directory": folders, "time": timer.Kind, "sqlite": sqlite, "database": databases, webhook.Name: hub.Kind, chain.Name: chain.Kind}
	options := triggers.Options{
		Cancelled: d.dispatcher.Cancelled, ClockSet: triggers.WatchClock, Doors: webhook.Doors, RunAs: runAs, Log: log.With().Str(keyComponent, "triggers").Logger(),
	}
	d.bell = newBell(cfg.Alarm, log)
	options.Alarm = d.bell.tell
	options.Restored = restored
	d.triggers = triggers.NewManager(d.dispatcher.Ledger(d.store), kinds, options)
	d.api = api.New(api.Options{
		LowDisk: d.gauge.low.Load,
		Store:   d.store, Dispatcher: d.dispatcher, Triggers: d.triggers, Executors: execs, Hooks: hub,
		RunAs: runAs, Version: version, Log: log, Hosts: cfg.HTTP.Hosts, MaxConnections: cfg.HTTP.MaxConnections,
		Alive: d.alive, Retention: d.janitor.retention, Doctor: d.doctor(cfg), Metrics: []prometheus.Collector{d},
	})
	if d.doors, err = cfg.HTTP.open(ctx, log); err != nil {
		return err
	}
	// Last, so that whoever connects is answered by a whole house.
	d.listener, err = api.Listen(cfg.Paths.Socket, socketGroup)
	return err
}

// incoming puts a file that came with a delivery among those from other machines.
func (d *daemon) incoming(ctx context.Context, f webhook.File) (string, error) {
	if f.Known {
		return "", d.store.ForgetUpload(ctx, f.SHA256, f.Owner)
	}
	return d.store.Receive(ctx, store.Arrival{Trigger: f.Trigger, Rel: f.Rel, SHA256: f.SHA256, Size: f.Size, Owner: f.Owner})
}

// ended tells the triggers that a dispatch is over.
func (d *daemon) ended(g graph.Dispatch) { d.triggers.DispatchEnded(g.TriggerID) }

// begin starts the rooms.
func (d *daemon) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.gauge.look() // before anything starts
	d.start("disk", d.gauge.Run)
	d.start("retention", d.janitor.Run)
	d.start("incoming", d.larder.Run)
	d.start("dispatcher", d.dispatcher.Run)
	d.start("alarm", d.bell.Run)
	d.start("triggers", d.triggers.Run)
	if d.triggers.Held() {
		d.start("hold", d.foretell)
	}
	d.start("api", func(ctx context.Context) error { return d.api.Serve(ctx, d.listener, d.doors...) })
	return nil
}

// start runs one room in a goroutine of its own. Its context doesn't end with the
// daemon's: rooms are stopped one after the other.
func (d *daemon) start(name string, run func(context.Context) error) {
	ctx, stop := context.WithCancelCause(context.Background())
	r := &room{name: name, stop: stop, done: make(chan error, 1)}
	d.rooms = append(d.rooms, r)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("nobody told it to")
			}
			d.failed <- fmt.Errorf("%s ended: %w", name, err)
		}
		r.done <- err
	}()
	d.log.Debug().Str("room", name).Msg("started")
}

// stop ends the rooms in the reverse order and closes what open made. One that fails
// doesn't keep the others from stopping.
func (d *daemon) stop() error {
	var all error
	for i := len(d.rooms) - 1; i >= 0; i-- {
		r := d.rooms[i]
		all = errors.Join(all, d.step(r.name, func() error {
			r.stop(executors.ErrDetached) // electrons go on
			return <-r.done
		}))
	}
	if len(d.rooms) == 0 { // nobody answered at them
		all = errors.Join(all, closeDoors(d.doors))
		if d.listener != nil {
			all = errors.Join(all, d.listener.Close())
		}
	}
	if d.local != nil {
		all = errors.Join(all, d.step("local executor", d.local.Close))
	}
	if d.store != nil {
		all = errors.Join(all, d.step("store", d.store.Close))
	}
	return all
}

// step does one part of stopping, within its limit.
func (d *daemon) step(name string, do func() error) error {
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- do() }()
	var err error
	select {
	case err = <-done:
	case <-time.After(stopLimit):
		err = fmt.Errorf("it did not stop within %s", stopLimit)
	}
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, executors.ErrDetached) {
		d.log.Error().Err(err).Str("room", name).Msg("stopping failed")
		return fmt.Errorf("stop %s: %w", name, err)
	}
	d.log.Info().Str("room", name).Dur(keyDur, time.Since(began)).Msg("stopped")
	return nil
}

// runAs is the Unix user whose electrons run: our own, or the one whose runner
// listens at socket (its name is the socket's, as in the units).
func runAs(socket string) (name string, uid int, err error) {
	if socket != "" {
		name := strings.TrimSuffix(filepath.Base(socket), ".sock")
		u, err := user.Lookup(name)
		if err != nil {
			return "", 0, fmt.Errorf("the runner's socket %s is not named after a user: %w", socket, err)
		}
		uid, err := strconv.Atoi(u.Uid)
		return u.Username, uid, err
	}
	uid = os.Getuid()
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username, uid, nil
	}
	return strconv.Itoa(uid), uid, nil
}
