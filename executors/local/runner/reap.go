package runner

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// reap collects every child: main processes of attempts, and the orphans that the
// kernel hands to a subreaper. Several goroutines do so in turns: who has reaped a
// child hands the waiting on and deals with its end at once, which is quicker than to
// wake somebody for it. It returns with ctx, unless it waits for a child that lives on.
func (r *runner) reap(ctx context.Context) {
	for {
		r.idlers.Add(1)
		select {
		case <-ctx.Done():
			return
		case <-r.reaping:
		}
		if r.idlers.Add(-1) == 0 {
			go r.reap(ctx)
		}
		pid, status, usage, ok := r.await(ctx)
		r.reaping <- struct{}{}
		if !ok {
			return
		}
		if a := r.reaped(pid, status, usage); a != nil {
			r.settle(a)
		}
	}
}

// await waits for the next child to end.
func (r *runner) await(ctx context.Context) (int, unix.WaitStatus, *unix.Rusage, bool) {
	for {
		var status unix.WaitStatus
		var usage unix.Rusage
		pid, err := unix.Wait4(-1, &status, 0, &usage)
		switch {
		case err == nil:
			return pid, status, &usage, true
		case errors.Is(err, unix.EINTR):
		default: // no children
			select {
			case <-ctx.Done():
				return 0, 0, nil, false
			case <-r.forked:
			}
		}
	}
}

// reaped records that a child has ended. It returns the attempt if that ended by itself.
func (r *runner) reaped(pid int, status unix.WaitStatus, usage *unix.Rusage) *attempt {
	at := time.Now()
	a := r.takeMain(pid)
	if a == nil {
		// Either an orphan or a child so quick that its fork hasn't been registered.
		r.forking.Lock()
		r.forking.Unlock() //nolint:staticcheck // waits for the fork that is under way
		if a = r.takeMain(pid); a == nil {
			return nil
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
		return nil
	}
	return a
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
	t := &tree{attempt: a.id, slot: a.slot, main: a.pid, from: a.from, to: a.to, self: r.self}
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
