package runner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

const (
	lockPatience  = 2 * time.Second // a runner that leaves may hold the lock a little longer
	firstPatience = 5 * time.Second // whoever started it may be slow to knock
	tickEvery     = 500 * time.Millisecond
	sweepEvery    = time.Hour
	maxLog        = 1 << 20 // of what runners in the background say
)

var errTaken = errors.New("another runner has this state directory")

// Main is `latticed runner`: it runs attempts until nobody needs it, or ctx ends. It
// is the last thing its process does: children that live on keep being the kernel's.
// When ctx ends, attempts are left alone and nothing is recorded any more, since
// whoever ends this process may be ending them too.
func Main(ctx context.Context, o Options) error {
	if err := o.defaults(); err != nil {
		return err
	}
	// Whatever was open in a process before us is nobody's business after us. (Kernels
	// before 5.11 don't know this; then nothing is lost but tidiness.)
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	if o.Detach {
		return detach(o)
	}
	unix.Umask(0o022)
	// A small heap that is collected often: what a runner holds is little and long-lived.
	debug.SetGCPercent(50)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	log := zerolog.New(os.Stderr).With().Timestamp().Str("component", "runner").Logger()
	boot, err := BootID()
	if err != nil {
		return err
	}
	if err := makeWork(&o); err != nil {
		return err
	}
	lock, err := waitLock(ctx, o.lockPath(o.Protocol))
	if errors.Is(err, errTaken) {
		return nil // it serves; who was started second isn't needed
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return newRunner(o, boot, log).run(ctx)
}

// run serves until the runner is idle or ctx ends. The caller holds the lock.
func (r *runner) run(ctx context.Context) error {
	recs, err := readJournal(r.o.journalPath(r.o.Protocol), r.boot)
	if err != nil {
		return err
	}
	if r.journal, err = newJournal(r.o.journalPath(r.o.Protocol), r.boot, recs); err != nil {
		return err
	}
	defer r.journal.close()
	if r.null, err = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("/dev/null: %w", err)
	}
	defer unix.Close(r.null)
	if !r.o.NoCgroup {
		if r.groups, err = newCgroups(fmt.Sprintf("latticed-%s.%d", stateHash(r.o.StateDir), r.o.Protocol)); err != nil {
			r.log.Info().Err(err).Msg("no control groups: processes are found by session, parents and a tag")
		} else {
			defer func() { r.groups.close(!r.journal.gone()) }()
		}
	}
	if r.door, err = r.o.listen(); err != nil {
		return fmt.Errorf("socket of the runner: %w", err)
	}
	r.rooms.clean()
	defer func() {
		if !r.journal.gone() {
			r.rooms.clean()
		}
	}()
	r.takeUp(recs)
	for range workers { // they end with the process: one may wait for children that live on
		go r.worker(ctx)
		go r.follower(ctx)
	}
	served := make(chan struct{})
	go func() { defer close(served); r.acceptAll(r.door) }()
	r.housekeep(ctx)
	r.hangUp()
	<-served
	// Whoever takes the lock next reads the journal and takes what isn't in it for not
	// started. So nothing may be: this is never unlocked.
	r.forking.Lock()
	return nil
}

// hangUp ends every session. New ones see a closed socket and start another runner.
func (r *runner) hangUp() {
	r.shut()
	r.mu.Lock()
	r.closing = true
	for s := range r.sessions {
		s.c.Close()
	}
	r.mu.Unlock()
}

// housekeep looks after logs and old directories, and returns when nobody needs the
// runner any more.
func (r *runner) housekeep(ctx context.Context) {
	var idleSince, swept time.Time
	for {
		now := time.Now()
		if now.Sub(swept) > sweepEvery {
			swept = now
			r.sweep(now)
		}
		r.mu.Lock()
		busy, alone := r.live > 0, r.live == 0 && len(r.sessions) == 0
		if !alone {
			idleSince = time.Time{}
		} else if idleSince.IsZero() {
			idleSince = now
		}
		wait, idle := sweepEvery, r.o.Idle
		if !r.asked {
			idle = max(idle, firstPatience)
		}
		if r.stray {
			idle = 0
		}
		switch {
		case busy:
			wait = tickEvery
		case alone && now.Sub(idleSince) >= idle:
			r.closing = true
			r.mu.Unlock()
			return
		case alone:
			wait = idle - now.Sub(idleSince)
		}
		r.asleep = !busy // told under the lock that a start takes: none is missed
		r.mu.Unlock()
		if busy {
			r.cutLogs()
			r.reapOrphans()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// makeWork makes the working directory: others may pass through to a directory they
// know the name of, and not look around.
func makeWork(o *Options) error {
	work := WorkDir(o.StateDir)
	if err := os.Mkdir(work, 0o711); err == nil {
		if err := os.Chmod(work, 0o711); err != nil {
			return err
		}
	} else if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("working directory: %w", err)
	}
	if err := os.Mkdir(o.ownDir(), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("the runner's own directory: %w", err)
	}
	return nil
}

func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errTaken
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// waitLock gives a runner that is about to leave a moment to do so.
func waitLock(ctx context.Context, path string) (*os.File, error) {
	for began := time.Now(); ; {
		f, err := tryLock(path)
		if !errors.Is(err, errTaken) || time.Since(began) > lockPatience {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// detach starts the runner in a session of its own and returns, so that it is nobody's
// child and outlives who asked for it. What it has to say goes into a file of its own.
func detach(o Options) error {
	o.Detach = false
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := makeWork(&o); err != nil {
		return err
	}
	log, err := os.OpenFile(LogPath(o.StateDir), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if info, err := log.Stat(); err == nil && info.Size() > maxLog {
		_ = log.Truncate(0) // another runner may go on appending to it
	}
	cmd := exec.Command(exe, append([]string{"runner"}, o.Args()...)...)
	cmd.Dir = "/"
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the runner: %w", err)
	}
	return cmd.Process.Release()
}
