package runner

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strconv"
)

// tree finds the processes of one attempt. In a control group the kernel knows them;
// otherwise they are those of its session and process group, their descendants, and
// whatever carries its tag in the environment. What was seen once stays a member, so
// that it is still known when its parents are gone. One goroutine uses a tree.
type tree struct {
	attempt string
	slot    *slot // nil: none
	main    int   // 0 when it isn't known
	from    int64 // the main process started between these ticks
	to      int64
	self    int             // the runner, never a member
	seen    map[int]process // members by pid
	child   bool            // main was a child of the runner until just now, so nobody else has its number yet
	// orphans lists processes that are known to be of this attempt by elimination; nil: none.
	orphans func() []process
}

func (t *tree) isMain(p process) bool {
	return p.pid == t.main && t.main != 0 && p.start >= t.from-1 && p.start <= t.to+1
}

// members lists the living processes of the attempt, parents before their children:
// whoever ends them in this order leaves no parent the time to act on a child's end.
func (t *tree) members() []process {
	out := t.find()
	slices.SortFunc(out, func(a, b process) int {
		if m, n := t.isMain(a), t.isMain(b); m != n {
			if m {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.pid, b.pid))
	})
	return out
}

func (t *tree) find() []process {
	if t.slot != nil {
		var out []process
		for _, pid := range t.slot.pids() {
			if p, err := readProcess(pid); err == nil && !p.dead() {
				out = append(out, p)
			}
		}
		return out
	}
	table, err := processTable()
	if err != nil {
		return nil
	}
	orphans := map[int]bool{}
	if t.orphans != nil {
		for _, p := range t.orphans() {
			orphans[p.pid] = true
		}
	}
	return t.pick(table, func(pid int) bool { return orphans[pid] || hasTag(pid, t.attempt) })
}

// pick chooses the members out of a process table.
func (t *tree) pick(table []process, tagged func(pid int) bool) []process {
	first := t.seen == nil
	if first {
		t.seen = map[int]process{}
	}
	now := map[int]process{}
	for _, p := range table {
		now[p.pid] = p
	}
	// The numbers of a session or group stay taken as long as it has a member, but
	// once the whole of it is gone they may come back as somebody else's.
	own := first && t.child
	for pid, p := range t.seen {
		if q, ok := now[pid]; !ok || q.start != p.start {
			delete(t.seen, pid)
		} else if p.session == t.main {
			own = true
		}
	}
	if p, ok := now[t.main]; ok {
		own = t.isMain(p)
	}
	for _, p := range table {
		if p.pid == t.self || p.dead() {
			continue
		}
		inSession := t.main != 0 && own && (p.session == t.main || p.pgrp == t.main)
		if t.isMain(p) || inSession || tagged(p.pid) {
			t.seen[p.pid] = p
		}
	}
	for grew := true; grew; {
		grew = false
		for _, p := range table {
			_, parent := t.seen[p.ppid]
			if _, known := t.seen[p.pid]; parent && !known && p.pid != t.self {
				t.seen[p.pid] = p
				grew = true
			}
		}
	}
	var out []process
	for pid := range t.seen {
		if p := now[pid]; !p.dead() {
			out = append(out, p)
		}
	}
	return out
}

// empty tells whether nothing of the attempt is alive.
func (t *tree) empty() bool {
	if t.slot != nil {
		return !t.slot.populated()
	}
	return len(t.members()) == 0
}

// adopted lists the children of the runner's first thread: what the orphans of
// attempts become children of. ok is false where the kernel doesn't tell.
func adopted(self int) (pids []int, ok bool) {
	id := strconv.Itoa(self)
	b, err := os.ReadFile("/proc/" + id + "/task/" + id + "/children")
	if err != nil {
		return nil, false
	}
	for f := range bytes.FieldsSeq(b) {
		if pid, err := strconv.Atoi(string(f)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, true
}
