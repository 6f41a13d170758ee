package runner

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// world is processes as the kernel has them: an attempt, and others that have nothing to
// do with it. Numbers are given out anew once nothing bears them any more.
type world struct {
	t     *rapid.T
	now   int64
	procs map[int]*being
}

type being struct {
	process
	own    bool // of the attempt
	first  bool // in the session of its main process, and not in another of the same number
	tagged bool
}

const (
	itsRunner = 2
	itsMain   = 10
)

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: 100, procs: map[int]*being{}}
	w.procs[1] = &being{process: process{pid: 1, start: 1, state: 'S', pgrp: 1, session: 1}}
	w.procs[itsRunner] = &being{process: process{pid: itsRunner, ppid: 1, start: 2, state: 'S', pgrp: itsRunner, session: itsRunner}, tagged: true} // it was started by such an attempt
	w.procs[itsMain] = &being{process: process{pid: itsMain, ppid: itsRunner, start: w.now, state: 'S', pgrp: itsMain, session: itsMain}, own: true, first: true, tagged: true}
	return w
}

// number finds a free one: nothing has it as pid, group or session.
func (w *world) number() int {
	for {
		n := rapid.IntRange(5, 16).Draw(w.t, "number")
		used := slices.ContainsFunc(w.table(), func(p process) bool { return p.pid == n || p.pgrp == n || p.session == n })
		if !used {
			return n
		}
	}
}

func (w *world) table() []process {
	var all []process
	for _, b := range w.procs {
		all = append(all, b.process)
	}
	slices.SortFunc(all, func(a, b process) int { return a.pid - b.pid })
	return all
}

func (w *world) any(of func(*being) bool) *being {
	var pids []int
	for pid, b := range w.procs {
		if b.state != 'Z' && of(b) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil
	}
	slices.Sort(pids)
	return w.procs[rapid.SampledFrom(pids).Draw(w.t, "who")]
}

// fork gives a process a child, perhaps in a session of its own and without its environment.
func (w *world) fork(parent *being) {
	if len(w.procs) > 7 {
		return
	}
	pid := w.number()
	b := &being{process: process{pid: pid, ppid: parent.pid, start: w.now, state: 'S', pgrp: parent.pgrp, session: parent.session}, own: parent.own, first: parent.first, tagged: parent.tagged}
	if rapid.Bool().Draw(w.t, "setsid") {
		b.pgrp, b.session, b.first = pid, pid, false
	}
	if parent.own && rapid.Bool().Draw(w.t, "cleared") {
		b.tagged = false
	}
	w.procs[pid] = b
}

// end ends a process; its children become the runner's, which reaps them, or init's.
func (w *world) end(b *being) {
	for _, c := range w.procs {
		if c.ppid == b.pid {
			c.ppid = 1
			if b.own {
				c.ppid = itsRunner
			}
		}
	}
	if rapid.Bool().Draw(w.t, "zombie") {
		b.state = 'Z'
		return
	}
	delete(w.procs, b.pid)
}

// However processes come, move and go between two looks, the members are never anybody
// else's, and all that can be found is found: the session, what bears the tag, what descends
// from them, and what was seen before.
func TestTree_finds_its_own_and_nobody_else(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		tr := &tree{main: itsMain, from: w.now, to: w.now, self: itsRunner, child: true}
		seen := map[int]int64{}
		for range rapid.IntRange(1, 20).Draw(t, "looks") {
			for range rapid.IntRange(0, 5).Draw(t, "happenings") {
				w.now += 10
				own := func(b *being) bool { return b.own }
				other := func(b *being) bool { return !b.own && b.pid != itsRunner }
				switch rapid.IntRange(0, 5).Draw(t, "what") {
				case 0, 1:
					if b := w.any(own); b != nil {
						w.fork(b)
					}
				case 2:
					w.fork(w.any(other))
				case 3:
					if b := w.any(own); b != nil {
						w.end(b)
					}
				case 4:
					if b := w.any(func(b *being) bool { return other(b) && b.pid != 1 }); b != nil {
						w.end(b)
					}
				default:
					for pid, b := range w.procs { // somebody reaps
						if b.state == 'Z' {
							delete(w.procs, pid)
						}
					}
				}
			}
			found := tr.pick(w.table(), func(pid int) bool { b := w.procs[pid]; return b.tagged && b.state != 'Z' })
			got := map[int]bool{}
			for _, p := range found {
				if b := w.procs[p.pid]; b == nil || !b.own || b.state == 'Z' || b.start != p.start {
					t.Fatalf("%+v is taken for its own", p)
				}
				got[p.pid] = true
			}
			session := false // what is alive of it was seen before
			for pid, b := range w.procs {
				session = session || b.own && seen[pid] == b.start && b.first
			}
			for pid, b := range w.procs {
				if b.state == 'Z' || !b.own {
					continue
				}
				above := w.procs[b.ppid]
				wanted := b.tagged || pid == itsMain && b.start == 100 || seen[pid] == b.start || session && b.first || above != nil && got[above.pid] && above.own
				if wanted && !got[pid] {
					t.Fatalf("%+v is not found among %s", b.process, fmt.Sprint(w.table()))
				}
			}
			for pid := range got {
				seen[pid] = w.procs[pid].start
			}
		}
	})
}

// Kernel threads are in session 0, and an attempt may have no main process that is known.
func TestTree_of_no_main_process_has_no_session(t *testing.T) {
	tr := &tree{self: itsRunner, child: true}
	kernel := process{pid: 3, ppid: 2, start: 1, state: 'S'}
	if got := tr.pick([]process{kernel}, func(int) bool { return false }); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// The clock of starts is coarser than the one that is read beside the fork.
func TestTree_knows_its_main_process_by_its_start(t *testing.T) {
	tr := &tree{main: 5, from: 100, to: 103}
	for start, want := range map[int64]bool{98: false, 99: true, 100: true, 104: true, 105: false} {
		if tr.isMain(process{pid: 5, start: start}) != want || tr.isMain(process{pid: 6, start: start}) {
			t.Errorf("started at %d: %v", start, !want)
		}
	}
}
