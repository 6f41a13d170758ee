package local

import (
	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors/local/runner"
)

// call is a Run that waits for its attempt.
type call struct {
	mail chan answer // what comes while it is full pushes out the oldest
}

func (c *call) post(a answer) {
	for {
		select {
		case c.mail <- a:
			return
		default:
		}
		select {
		case old := <-c.mail:
			runner.CloseAll(old.fds)
		default:
		}
	}
}

// toCalls gives an answer to every Run of an attempt, each with descriptors of its own.
func (l *link) toCalls(attempt string, a answer) {
	l.mu.Lock()
	calls := l.calls[attempt]
	for i, c := range calls {
		own := answer{m: a.m, fds: a.fds}
		if i < len(calls)-1 {
			own.fds = duplicate(a.fds)
		}
		c.post(own)
	}
	l.mu.Unlock()
	if len(calls) == 0 {
		runner.CloseAll(a.fds)
	}
}

func duplicate(fds []int) []int {
	out := make([]int, 0, len(fds))
	for _, fd := range fds {
		if d, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			out = append(out, d)
		}
	}
	return out
}

func (l *link) join(attempt string) *call {
	c := &call{mail: make(chan answer, 8)}
	l.mu.Lock()
	l.calls[attempt] = append(l.calls[attempt], c)
	l.mu.Unlock()
	return c
}

func (l *link) part(attempt string, c *call) {
	l.mu.Lock()
	rest := l.calls[attempt][:0:0]
	for _, o := range l.calls[attempt] {
		if o != c {
			rest = append(rest, o)
		}
	}
	if len(rest) == 0 {
		delete(l.calls, attempt)
	} else {
		l.calls[attempt] = rest
	}
	l.mu.Unlock()
	for { // nobody puts anything in any more
		select {
		case a := <-c.mail:
			runner.CloseAll(a.fds)
		default:
			return
		}
	}
}
