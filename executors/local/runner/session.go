package runner

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// drainLimit ends a wait for what a daemon that died has said; it was said already.
const drainLimit = 30 * time.Second

// session is the connection to one daemon.
type session struct {
	r    *runner
	c    *Conn
	n    int           // in the order they came
	gone chan struct{} // closed when all that it said was heard
}

// serve reads what a daemon says until it hangs up.
func (r *runner) serve(c *net.UnixConn) {
	s := &session{r: r, c: NewConn(c), gone: make(chan struct{})}
	defer s.c.Drop()
	defer s.c.Close()
	if r.astray() {
		return // to a daemon this is a runner that is leaving: it starts another
	}
	r.mu.Lock()
	if r.closing {
		r.mu.Unlock()
		return
	}
	r.came++
	s.n = r.came
	r.sessions[s] = struct{}{}
	r.asked = true
	r.mu.Unlock()
	defer r.leave(s)
	s.send(r.hello())
	for {
		m, fds, err := s.c.Receive()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) && !hungUp(err) {
				r.log.Warn().Err(err).Msg("connection to a daemon dropped")
			}
			return
		}
		s.handle(m, fds)
	}
}

func (r *runner) leave(s *session) {
	r.mu.Lock()
	delete(r.sessions, s)
	for _, a := range r.attempts {
		delete(a.wishes, s)
		if a.phase == ended && len(a.wishes) == 0 {
			closeLogs(a)
		}
	}
	r.mu.Unlock()
	close(s.gone)
	poke(r.changed)
}

// drain waits until all was heard that daemons before this one have said and died: what
// it asks may depend on that.
func (s *session) drain() {
	r := s.r
	var dead []*session
	r.mu.Lock()
	for o := range r.sessions {
		if o.n < s.n && o.c.hungUp() {
			dead = append(dead, o)
		}
	}
	r.mu.Unlock()
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	for _, o := range dead {
		select {
		case <-o.gone:
		case <-limit.C:
			r.log.Error().Msg("what a daemon said before it died was not heard to its end")
			return
		}
	}
}

// send tells the daemon something. When it can't be told, the connection is over, and
// the daemon asks again after it has connected anew. What it said before it died counts.
func (s *session) send(m Message, fds ...int) {
	if err := s.c.Send(m, fds...); err != nil && !hungUp(err) {
		s.c.Close()
	}
}

func (s *session) handle(m Message, fds []int) {
	if start, ok := m.(*Start); ok {
		s.r.accept(s, start, fds)
		return
	}
	CloseAll(fds)
	switch m := m.(type) {
	case *Cancel:
		s.r.mu.Lock()
		a := s.r.attempts[m.Attempt]
		s.r.mu.Unlock()
		if a != nil {
			go s.r.stop(a, CauseCancel)
		}
	case *Release:
		s.r.release(m)
	case *Failed:
		s.r.failed(m.Attempt)
	case *Log:
		s.log(m)
	case *List:
		s.drain()
		s.send(s.r.list(m.Request))
	case *Check:
		problem := CodeMoved
		if !s.r.astray() {
			problem = s.r.check()
		}
		s.send(&Reply{Request: m.Request, Problem: problem})
	default: // a Hello; or something of a later protocol that we needn't understand
	}
}

// log hands out a log as it is, with what was cut out as a hole.
func (s *session) log(m *Log) {
	rep := &Reply{Request: m.Request, Problem: ProblemMissing}
	name := "." + m.Stream
	if validAttempt(m.Attempt) && (name == stdoutName || name == stderrName) {
		fd, problem := openPlain(filepath.Join(s.r.work, m.Attempt, name), true)
		if problem == "" {
			defer unix.Close(fd)
			s.send(&Reply{Request: m.Request, FD: true}, fd)
			return
		}
		rep.Problem = problem
	}
	s.send(rep)
}

// check tries what an attempt needs before it starts.
func (r *runner) check() string {
	f, err := os.CreateTemp(r.o.ownDir(), "check")
	if err != nil {
		return err.Error()
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		return err.Error()
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return "no /proc: processes can't be found again: " + err.Error()
	}
	return ""
}

// list names the attempts that have ended and were not released.
func (r *runner) list(request int64) *Attempts {
	out := &Attempts{Request: request}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, a := range r.attempts {
		switch {
		case a.phase != ended:
		case a.exit == 0 && a.cause == CauseNone && !a.failed || a.cause == CauseCancel:
			out.Ended = append(out.Ended, id)
		default:
			out.Failed = append(out.Failed, id)
		}
	}
	return out
}
