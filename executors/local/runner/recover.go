package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const lookEvery = 200 * time.Millisecond // at the survivors of a dead runner

// takeUp goes on from recs, what the journal holds already. Journals of others come first:
// who took one over may have died half-way, and then each of the two tells a part.
func (r *runner) takeUp(recs []record) {
	r.adopt(recs)
	r.resume(fold(recs))
}

// resume takes over what an earlier runner's journal tells: ends that no daemon has
// collected, and attempts whose end that runner can't see any more.
func (r *runner) resume(pasts []*past) {
	for _, p := range pasts {
		if p.intent == nil || p.release != nil { // never started, or done with
			if p.release == nil || !p.release.Keep {
				removeDir(filepath.Join(r.work, p.attempt))
			}
			r.journal.forget(p.attempt)
			continue
		}
		r.mu.Lock()
		_, known := r.attempts[p.attempt]
		r.mu.Unlock()
		if known {
			continue // a journal that was being taken over when its taker died
		}
		a := r.restore(p)
		r.mu.Lock()
		r.attempts[a.id] = a
		if a.phase != ended {
			r.live++
		}
		r.mu.Unlock()
		if a.phase != ended {
			go r.watch(a)
		}
	}
	poke(r.changed)
}

// restore makes an attempt of what was written down.
func (r *runner) restore(p *past) *attempt {
	a := newAttempt(p.attempt, filepath.Join(r.work, p.attempt))
	a.orphan = true
	a.phase = running
	a.started = time.UnixMicro(p.intent.At)
	a.timeout = time.Duration(p.intent.Timeout) * time.Microsecond
	a.grace = time.Duration(p.intent.Grace) * time.Microsecond
	if p.pid != nil {
		a.pid, a.from, a.to = int(p.pid.PID), p.pid.From, p.pid.To
	}
	if p.end != nil {
		a.phase = ended
		a.at = time.UnixMicro(p.end.At)
		a.cause, a.exit, a.signal, a.failed = p.end.Cause, p.end.Exit, p.end.Signal, p.failed
		a.cpu, a.rss, a.notes = p.end.CPU, p.end.MaxRSS, p.end.Notes
		return a
	}
	if p.intent.Slot != "" {
		if s, err := openSlot(p.intent.Slot); err == nil {
			a.slot = s
		}
	}
	for i := range a.logs {
		a.logs[i], _ = reopenLog(a.logPath(i))
	}
	return a
}

// watch waits for the end of an attempt whose runner died. Its processes are no
// children of ours, so how it ended can't be known: it is lost, unless we end it
// ourselves for its timeout.
func (r *runner) watch(a *attempt) {
	t := r.tree(a)
	if a.timeout > 0 && !r.over(a, t) { // else it is lost, even if its time would be over by now
		r.mu.Lock()
		a.timer = time.AfterFunc(time.Until(a.started.Add(a.timeout)), func() { r.stop(a, CauseTimeout) })
		r.mu.Unlock()
	}
	for !r.over(a, t) {
		select {
		case <-a.gone: // somebody else ends it
			return
		case <-time.After(lookEvery):
		}
	}
	r.mu.Lock()
	if a.phase != running {
		r.mu.Unlock()
		return
	}
	a.phase = ending
	r.mu.Unlock()
	r.settle(a)
}

// over tells whether the main process has ended, or, when it isn't known, everything.
func (r *runner) over(a *attempt, t *tree) bool {
	if a.pid == 0 {
		return t.empty()
	}
	p, err := readProcess(a.pid)
	return err != nil || p.dead() || !t.isMain(p)
}

// adopt imports the journals of runners of other protocols that have left; have is what
// may be imported already.
func (r *runner) adopt(have []record) {
	r.adopting.Lock()
	defer r.adopting.Unlock()
	for _, n := range r.o.otherProtocols() {
		lock, err := tryLock(r.o.lockPath(n))
		if err != nil {
			continue // it lives
		}
		if err := r.adoptJournal(r.o.journalPath(n), have); err != nil {
			r.log.Error().Err(err).Msg("can't take over a journal")
		}
		_ = lock.Close()
	}
}

// adoptJournal takes over the journal at path. The caller holds its lock.
func (r *runner) adoptJournal(path string, have []record) error {
	recs, err := readJournal(path, r.boot)
	if err != nil {
		return err
	}
	for i := range recs {
		if err := r.journal.append(&recs[i]); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	// What we have of it already is a beginning of it, perhaps without what was begun again.
	r.resume(fold(append(slices.Clone(have), recs...)))
	return os.Remove(path)
}

// elsewhere tells whether the journal of a runner of another protocol has the attempt:
// that runner lives, is leaving, or can't be taken over. Asked after adopt.
func (r *runner) elsewhere(attempt string) bool {
	for _, n := range r.o.otherProtocols() {
		recs, err := readJournal(r.o.journalPath(n), r.boot)
		if err != nil {
			return true // it may
		}
		for _, p := range fold(recs) {
			if p.attempt == attempt && p.release == nil {
				return true
			}
		}
	}
	return false
}

// otherProtocols lists the protocols other than ours that have a journal.
func (o *Options) otherProtocols() []int {
	entries, err := os.ReadDir(o.ownDir())
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		s, ok := strings.CutPrefix(e.Name(), "journal.")
		if n, err := strconv.Atoi(s); ok && err == nil && n != o.Protocol {
			out = append(out, n)
		}
	}
	return out
}
