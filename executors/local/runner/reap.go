package runner

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Children are waited for by one goroutine at a time, whichever is at hand: the one that
// has just started an attempt, or a follower. Who reaps a child deals with its end at
// once, which is quicker than to wake somebody for it, and hands the waiting on before
// if there are other attempts.

// wait waits for children unless somebody does. It returns when it has dealt with the
// end of an attempt, or when there is no child.
func (r *runner) wait() {
	for r.waiting.CompareAndSwap(false, true) {
		a, reaped := r.waitOne()
		if !reaped {
			r.waiting.Store(false)
			if r.children() == 0 {
				return
			}
			continue // one was started while nobody waited
		}
		r.handOver()
		if a != nil {
			r.settle(a)
			return
		}
	}
}

// waitOne reaps children until an attempt has ended by itself or another goroutine has
// to know of an end; false when there is none.
func (r *runner) waitOne() (a *attempt, reaped bool) {
	for {
		var status unix.WaitStatus
		var usage unix.Rusage
		pid, err := unix.Wait4(-1, &status, 0, &usage)
		switch {
		case err == nil:
			if a, main := r.reaped(pid, status, &usage); main {
				return a, true
			}
		case !errors.Is(err, unix.EINTR):
			return nil, false
		}
	}
}

// handOver lets go of the waiting and finds somebody else for it if it is needed.
func (r *runner) handOver() {
	r.waiting.Store(false)
	if r.children() == 0 {
		return
	}
	select {
	case r.follow <- struct{}{}:
	default: // they are all busy
		go r.wait()
	}
}

func (r *runner) follower(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.follow:
			r.wait()
		}
	}
}

// reapOrphans collects what has ended while nobody had a reason to wait.
func (r *runner) reapOrphans() {
	for r.waiting.CompareAndSwap(false, true) {
		var status unix.WaitStatus
		var usage unix.Rusage
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, &usage)
		var a *attempt
		if err == nil && pid > 0 {
			a, _ = r.reaped(pid, status, &usage)
		}
		r.handOver()
		if a != nil {
			r.soon(func() { r.settle(a) })
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}

// children counts the main processes that are not reaped.
func (r *runner) children() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mains)
}

// reaped records that a child has ended, and tells whether it was a main process. It
// returns the attempt if that ended by itself.
func (r *runner) reaped(pid int, status unix.WaitStatus, usage *unix.Rusage) (a *attempt, main bool) {
	at := time.Now()
	if a = r.takeMain(pid); a == nil {
		// Either an orphan or a child so quick that its fork hasn't been registered.
		r.forking.Lock()
		r.forking.Unlock() //nolint:staticcheck // waits for the fork that is under way
		if a = r.takeMain(pid); a == nil {
			return nil, false
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a.at = at
	a.cpu = (usage.Utime.Nano() + usage.Stime.Nano()) / 1000
	a.rss = usage.Maxrss << 10
	if status.Exited() {
		a.exit = int64(status.ExitStatus())
	} else {
		a.signal = int64(status.Signal())
	}
	natural := a.phase == running
	a.phase = ending
	close(a.gone)
	if !natural {
		return nil, true
	}
	return a, true
}

func (r *runner) takeMain(pid int) *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.mains[pid]
	delete(r.mains, pid)
	return a
}

// settle finishes an attempt whose main process ended by itself.
func (r *runner) settle(a *attempt) {
	if r.nothingLeft(a) {
		r.finish(a)
		return
	}
	r.kill(a)
	r.reapOrphans()
}

// nothingLeft tells whether an attempt without main process left no other. Every
// descendant's line of living ancestors ends in a child of this process, so without a
// control group it is enough to know all children.
func (r *runner) nothingLeft(a *attempt) bool {
	if a.slot != nil {
		return a.slot.settled()
	}
	if pids, ok := r.strangers(); ok && len(pids) == 0 && !a.orphan {
		return true
	}
	return r.tree(a).empty()
}

// strangers lists the children that are no main processes: orphans of attempts, handed
// to this process as their subreaper. ok is false where the kernel doesn't tell.
func (r *runner) strangers() (pids []int, ok bool) {
	all, ok := adopted(r.self)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pid := range all {
		if r.mains[pid] == nil {
			pids = append(pids, pid)
		}
	}
	return pids, ok
}

// tree is where to look for the processes of an attempt. An orphan that hides (no tag,
// parents gone before anybody looked) belongs to it if there is no other attempt.
func (r *runner) tree(a *attempt) *tree {
	t := &tree{attempt: a.id, slot: a.slot, main: a.pid, from: a.from, to: a.to, self: r.self, child: !a.orphan}
	if a.slot != nil || a.orphan {
		return t
	}
	t.orphans = func() []process {
		pids, _ := r.strangers()
		r.mu.Lock()
		alone := r.live == 1
		r.mu.Unlock()
		var out []process
		for _, pid := range pids {
			if p, err := readProcess(pid); err == nil && alone && p.ppid == r.self && !p.dead() {
				out = append(out, p)
			}
		}
		return out
	}
	return t
}
