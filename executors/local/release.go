package local

import (
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
)

// maxSent is how many releases are remembered. A runner reads them in order and at
// once, so older ones have arrived.
const maxSent = 1024

// release tells the runner that the end of an attempt is stored. It is not answered:
// what was said last before the connection dropped is said again to the next runner,
// and Settle finds what a dying daemon had no time to say.
func (e *Executor) release(attempt string, keep bool) {
	m := runner.Release{Attempt: attempt, Keep: keep}
	e.mu.Lock()
	if len(e.sent) == maxSent {
		e.sent = append(e.sent[:0], e.sent[maxSent/2:]...)
	}
	e.sent = append(e.sent, m)
	links := make([]*link, 0, 1)
	for _, l := range e.links {
		links = append(links, l)
	}
	e.mu.Unlock()
	for _, l := range links {
		_ = l.conn.Send(&m) // a failed Send closes the link
	}
}

// failed tells the runner, before the end is stored, of an attempt that exited well and
// has failed by what it left: should this process die before it can release it, the next
// one's Settle keeps the directory.
func (l *link) failed(m *runner.Ended, res executors.Result, err error) {
	if err == nil && res.Error != nil && m.Exit == 0 && m.Cause == runner.CauseNone {
		_ = l.conn.Send(&runner.Failed{Attempt: m.Attempt}) // a failed Send closes the link
	}
}

// releaseAgain says to a new runner what the last one may not have heard.
func (l *link) releaseAgain(sent []runner.Release) {
	for i := range sent {
		if l.conn.Send(&sent[i]) != nil {
			return // the link is closed; whoever uses it connects anew
		}
	}
}
