package runner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	survivorsAfter = 2 * time.Second        // from KILL until survivors are reported
	pollMax        = 100 * time.Millisecond // between two looks while processes end
)

// stop ends an attempt for a cause: TERM, grace, KILL. It returns when it is finished,
// or at once when it is ending already.
func (r *runner) stop(a *attempt, cause string) {
	r.mu.Lock()
	if a.phase == starting && a.cause == "" {
		a.cause = cause // whoever forks it will see
	}
	if a.phase != running {
		r.mu.Unlock()
		return
	}
	a.phase = ending
	a.cause = cause
	r.mu.Unlock()
	r.kill(a)
}

// kill ends whatever is alive of an attempt, and finishes it when nothing is left;
// not before.
func (r *runner) kill(a *attempt) {
	r.mu.Lock()
	leftOver := a.cause == "" // its main process has ended by itself
	r.mu.Unlock()
	t := r.tree(a)
	found := t.members() // sampled before TERM: parents that die take the trail with them
	if leftOver && len(found) > 0 {
		a.notes = append(a.notes, leftOverNote(found))
	}
	for _, p := range found {
		_ = r.signal(p, unix.SIGTERM) // gone is fine; what refuses is seen below
		_ = r.signal(p, unix.SIGCONT)
	}
	if !r.awaitEmpty(a, t, a.grace) {
		r.killHard(a, t)
	}
	r.finish(a)
}

func leftOverNote(found []process) string {
	if len(found) == 1 {
		return "1 left-over process was ended"
	}
	return strconv.Itoa(len(found)) + " left-over processes were ended"
}

// awaitEmpty waits up to limit for the last process to end.
func (r *runner) awaitEmpty(a *attempt, t *tree, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	gone := a.gone
	for wait := time.Millisecond; ; wait = min(2*wait, pollMax) {
		if r.empty(a, t) {
			return true
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false
		}
		select {
		case <-gone:
			gone, wait = nil, time.Millisecond
		case <-time.After(min(wait, left)):
		}
	}
}

// empty tells whether the main process has been reaped and nothing else is alive.
func (r *runner) empty(a *attempt, t *tree) bool {
	if !a.orphan {
		select {
		case <-a.gone:
		default:
			return false
		}
	}
	return t.empty()
}

// killHard ends what is left with KILL until nothing is. What doesn't die (it waits
// for a device, or belongs to another user) is reported and looked at again and again.
func (r *runner) killHard(a *attempt, t *tree) {
	began := time.Now()
	reported := false
	for limit := 5 * time.Millisecond; ; limit = min(2*limit, time.Second) {
		for _, p := range t.members() {
			_ = r.signal(p, unix.SIGKILL) // what it can't do is seen below
		}
		if t.slot != nil {
			_ = t.slot.kill() // whatever has come about meanwhile
		}
		if r.awaitEmpty(a, t, limit) {
			break
		}
		if left := t.members(); time.Since(began) >= survivorsAfter && len(left) > 0 {
			reported = true
			r.condition(a, Survivors, survivorsText(left))
		}
	}
	if reported {
		r.condition(a, "", "")
	}
}

func survivorsText(left []process) string {
	pids := make([]int, 0, len(left))
	for _, p := range left {
		pids = append(pids, p.pid)
	}
	slices.Sort(pids)
	words := make([]string, 0, 10)
	for _, pid := range pids[:min(len(pids), 10)] {
		words = append(words, strconv.Itoa(pid))
	}
	return fmt.Sprintf("%d processes do not end (%s)", len(left), strings.Join(words, ", "))
}

// condition remembers and tells what is worth knowing of a running attempt.
func (r *runner) condition(a *attempt, code, detail string) {
	c := Condition{Attempt: a.id, Code: code, Detail: detail}
	r.mu.Lock()
	same := a.cond == c
	a.cond = c
	r.mu.Unlock()
	if !same {
		r.tell(a, &c)
	}
}
