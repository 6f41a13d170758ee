package runner

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// finish records the end of an attempt of which nothing is alive and reports it.
func (r *runner) finish(a *attempt) {
	r.mu.Lock()
	if a.orphan && a.cause == "" {
		a.cause = CauseLost
	}
	if a.at.IsZero() {
		a.at = time.Now()
	}
	rec := record{
		Kind: recEnd, Attempt: a.id, At: microseconds(a.at), Cause: a.cause, Exit: a.exit, Signal: a.signal,
		CPU: a.cpu, MaxRSS: a.rss, Notes: shortNotes(a.notes),
	}
	timer := a.timer
	r.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if err := r.journal.append(&rec); err != nil {
		r.log.Error().Err(err).Str("attempt", a.id).Msg("its end is not in the journal")
	}
	if a.slot != nil {
		if a.orphan {
			a.slot.close()
		} else {
			r.groups.give(a.slot)
		}
	}
	r.mu.Lock()
	a.phase = ended
	r.live--
	to := make([]*session, 0, len(a.wishes))
	for s := range a.wishes {
		to = append(to, s)
	}
	idle := len(r.sessions) == 0
	r.mu.Unlock()
	for _, s := range to {
		r.report(a, s)
	}
	if len(to) == 0 { // nobody will release it soon
		r.mu.Lock()
		closeLogs(a)
		r.mu.Unlock()
	}
	if idle {
		poke(r.changed)
	}
}

func shortNotes(notes []string) []string {
	total := 0
	for i, n := range notes {
		if total += len(n); total > maxNotes {
			return notes[:i]
		}
	}
	return notes
}

// closeLogs closes the descriptors of an attempt's logs.
func closeLogs(a *attempt) {
	for i, fd := range a.logs {
		if fd >= 0 {
			_ = unix.Close(fd)
			a.logs[i] = -1
		}
	}
}

// failed remembers that an attempt that ended has failed by what its daemon found.
func (r *runner) failed(attempt string) {
	r.mu.Lock()
	a := r.attempts[attempt]
	if a == nil || a.phase != ended || a.failed {
		r.mu.Unlock()
		return
	}
	a.failed = true
	r.mu.Unlock()
	if err := r.journal.append(&record{Kind: recFailed, Attempt: attempt}); err != nil {
		r.log.Warn().Err(err).Str("attempt", attempt).Msg("that it failed is not in the journal")
	}
}

// release forgets an attempt whose end the daemon has stored.
func (r *runner) release(m *Release) {
	if !validAttempt(m.Attempt) {
		return
	}
	r.mu.Lock()
	a := r.attempts[m.Attempt]
	if a != nil && a.phase != ended {
		r.mu.Unlock()
		return // a daemon that is mistaken must not lose sight of it
	}
	delete(r.attempts, m.Attempt)
	r.mu.Unlock()
	if a == nil {
		a = newAttempt(m.Attempt, AttemptDir(r.o.StateDir, m.Attempt))
		r.soon(func() { r.discard(a, m.Keep) })
		return
	}
	if err := r.journal.append(&record{Kind: recRelease, Attempt: m.Attempt, Keep: m.Keep}); err != nil {
		r.log.Warn().Err(err).Str("attempt", m.Attempt).Msg("its release is not in the journal")
	}
	r.soon(func() { r.discard(a, m.Keep) })
}

// discard removes a released attempt's directory, makes it a spare room, or marks since
// when it is kept.
func (r *runner) discard(a *attempt, keep bool) {
	switch {
	case keep:
		now := time.Now()
		_ = os.Chtimes(a.dir, now, now) // without it the directory only goes earlier
		closeLogs(a)
	default:
		closeLogs(a)
		r.rooms.leave(a.dir)
	}
	r.journal.forget(a.id)
}
