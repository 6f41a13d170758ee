package runner

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// tester is what tests and property tests have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// successor is the runner that comes after one whose journals are in o's directory.
func successor(t tester, o Options) *runner {
	t.Helper()
	r := newRunner(o, "boot", zerolog.New(io.Discard))
	recs, err := readJournal(o.journalPath(o.Protocol), r.boot)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if r.journal, err = newJournal(o.journalPath(o.Protocol), r.boot, recs); err != nil {
		t.Fatalf("%v", err)
	}
	r.takeUp(recs)
	return r
}

// settledBy waits until the runner has none that it watches.
func (r *runner) settledBy(t tester, limit time.Duration) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		live := r.live
		r.mu.Unlock()
		if live == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d attempts have not ended", live)
		}
	}
}

// histories are what a journal may tell of one attempt, in its order; the pid is written
// beside an end that comes fast.
var histories = [][]int64{
	{recPrepare},
	{recPrepare, recIntent},
	{recPrepare, recIntent, recUndo},
	{recPrepare, recIntent, recUndo, recPrepare, recIntent, recPID},
	{recPrepare, recIntent, recPID},
	{recPrepare, recIntent, recPID, recEnd},
	{recPrepare, recIntent, recEnd, recPID},
	{recPrepare, recIntent, recPID, recEnd, recFailed},
	{recPrepare, recIntent, recPID, recEnd, recRelease},
	{recPrepare, recIntent, recEnd, recRelease, recPID},
}

// told makes the records of some attempts, in turns.
func told(t *rapid.T) []record {
	left := map[string][]int64{}
	for i := range rapid.IntRange(1, 5).Draw(t, "attempts") {
		left[fmt.Sprint("a", i)] = slices.Clone(rapid.SampledFrom(histories).Draw(t, "history"))
	}
	keep := rapid.Bool().Draw(t, "keep")
	var recs []record
	for len(left) > 0 {
		var ids []string
		for id := range left {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		id := rapid.SampledFrom(ids).Draw(t, "next")
		r := record{Kind: left[id][0], Attempt: id}
		switch r.Kind {
		case recIntent:
			r.At, r.Timeout, r.Grace = 7e6, int64(time.Hour/time.Microsecond), 5
		case recPID:
			r.PID, r.From, r.To = 1<<30, 1, 2 // nobody's
		case recEnd:
			r.At, r.Exit, r.Signal, r.CPU, r.MaxRSS, r.Notes = 8e6, 3, 4, 5, 6, []string{"of " + id}
		case recRelease:
			r.Keep = keep
		}
		recs = append(recs, r)
		if left[id] = left[id][1:]; len(left[id]) == 0 {
			delete(left, id)
		}
	}
	return recs
}

// means is the state of an attempt by the records about it.
func means(recs []record, id string) (state string, keep bool) {
	for _, r := range recs {
		if r.Attempt != id {
			continue
		}
		switch {
		case r.Kind == recRelease:
			state, keep = "released", r.Keep
		case state == "released" || state == "ended":
		case r.Kind == recPrepare || r.Kind == recUndo:
			state = "prepared"
		case r.Kind == recIntent || r.Kind == recPID:
			state = "started"
		case r.Kind == recEnd:
			state = "ended"
		}
	}
	return state, keep
}

// However a journal was cut off, what it tells is taken up: an end is told as it was, what
// may have been started is never started again, and nothing is left of the rest.
func TestResume_loses_no_end_and_starts_nothing_twice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "resume")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		o := Options{StateDir: dir}
		if err := o.defaults(); err != nil {
			t.Fatal(err)
		}
		if err := makeWork(&o); err != nil {
			t.Fatal(err)
		}
		recs := told(t)
		b := appendFrame(nil, &record{Kind: recHeader, Boot: "boot", Version: journalVersion})
		head := len(b)
		for i := range recs {
			b = appendFrame(b, &recs[i])
			_ = os.Mkdir(filepath.Join(WorkDir(dir), recs[i].Attempt), 0o700)
		}
		b = b[:rapid.IntRange(head, len(b)).Draw(t, "cut at")]
		if err := os.WriteFile(o.journalPath(o.Protocol), append(slices.Clone(b), make([]byte, 50)...), 0o600); err != nil {
			t.Fatal(err)
		}
		whole := recs[:len(readFrames(b))-1]
		for range 2 { // the second one comes after a crash of the first
			r := successor(t, o)
			r.settledBy(t, 10*time.Second)
			r.mu.Lock()
			for _, rec := range recs {
				state, keep := means(whole, rec.Attempt)
				a := r.attempts[rec.Attempt]
				_, err := os.Stat(filepath.Join(r.work, rec.Attempt))
				switch {
				case state == "ended":
					if a == nil || a.phase != ended || a.cause != CauseNone || a.exit != 3 || a.signal != 4 || a.cpu != 5 || a.rss != 6 ||
						a.failed != slices.ContainsFunc(whole, func(r record) bool { return r.Attempt == a.id && r.Kind == recFailed }) || a.at.UnixMicro() != 8e6 || a.started.UnixMicro() != 7e6 || !reflect.DeepEqual(a.notes, []string{"of " + a.id}) {
						t.Fatalf("the end of %s became %+v", rec.Attempt, a)
					}
				case state == "started":
					if a == nil || a.phase != ended || a.cause != CauseLost || a.exit != -1 || a.at.IsZero() {
						t.Fatalf("%s was started and became %+v", rec.Attempt, a)
					}
				case a != nil:
					t.Fatalf("%s is %s and became %+v", rec.Attempt, state, a)
				case state != "" && (err == nil) != (state == "released" && keep):
					t.Fatalf("%s is %s (kept %v); its directory: %v", rec.Attempt, state, keep, err)
				}
			}
			if len(r.journal.live) != len(r.attempts) {
				t.Fatalf("the journal keeps %d attempts of %d", len(r.journal.live), len(r.attempts))
			}
			r.mu.Unlock()
			_ = r.journal.close()
		}
	})
}

// recovering is a runner's directory with journals of several protocols.
func recovering(t *testing.T, journals map[int][]record) Options {
	t.Helper()
	o := Options{StateDir: t.TempDir(), Protocol: 2}
	if err := o.defaults(); err != nil {
		t.Fatal(err)
	}
	if err := makeWork(&o); err != nil {
		t.Fatal(err)
	}
	for protocol, recs := range journals {
		j, err := newJournal(o.journalPath(protocol), "boot", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range recs {
			if err := j.append(&recs[i]); err != nil {
				t.Fatal(err)
			}
		}
		_ = j.close()
	}
	return o
}

func history(id string, kinds ...int64) []record {
	var recs []record
	for _, k := range kinds {
		r := record{Kind: k, Attempt: id}
		if k == recPID {
			r.PID = 1 << 30
		}
		recs = append(recs, r)
	}
	return recs
}

// Who took a journal over may have died at any record of it.
func TestAdopt_tells_an_end_although_it_was_interrupted(t *testing.T) {
	keepsNoDescriptor(t)
	full := history("a", recPrepare, recIntent, recPID, recEnd)
	for n := range full {
		o := recovering(t, map[int][]record{1: full, 2: full[:n]})
		r := successor(t, o)
		r.settledBy(t, 10*time.Second)
		if a := r.attempts["a"]; a == nil || a.phase != ended || a.cause != CauseNone {
			t.Errorf("after %d of %d records: %+v", n, len(full), a)
		}
		if _, err := os.Stat(o.journalPath(1)); !os.IsNotExist(err) {
			t.Errorf("after %d records the journal is left: %v", n, err)
		}
		_ = r.journal.close()
	}
}

// What was undone was begun again since: the part of it that was taken over is older.
func TestAdopt_knows_what_was_begun_again_although_it_was_interrupted(t *testing.T) {
	keepsNoDescriptor(t)
	full := history("a", recPrepare, recIntent, recUndo, recPrepare, recIntent, recPID, recEnd)
	for n := range full {
		for told := n; told <= len(full); told++ { // of which an earlier interruption has taken over some, too
			o := recovering(t, map[int][]record{1: full, 2: append(slices.Clone(full[:told]), full[:n]...)})
			r := successor(t, o)
			r.settledBy(t, 10*time.Second)
			if a := r.attempts["a"]; a == nil || a.phase != ended || a.cause != CauseNone {
				t.Errorf("after %d and %d of %d records: %+v", told, n, len(full), a)
			}
			_ = r.journal.close()
		}
	}
}

// What happened after a journal was taken over is newer than what that tells.
func TestAdopt_brings_nothing_back(t *testing.T) {
	for name, more := range map[string][]int64{"ended": {recEnd}, "released": {recEnd, recRelease}} {
		began := history("a", recPrepare, recIntent, recPID)
		o := recovering(t, map[int][]record{1: began, 2: append(slices.Clone(began), history("a", more...)...)})
		r := successor(t, o)
		r.settledBy(t, 10*time.Second)
		if a := r.attempts["a"]; name == "ended" && (a == nil || a.cause != CauseNone) || name == "released" && a != nil {
			t.Errorf("%s: %+v", name, a)
		}
		_ = r.journal.close()
	}
}

func TestAbsent(t *testing.T) {
	keepsNoDescriptor(t)
	begin := func(t *testing.T, journals map[int][]record) (*runner, *session, *Conn) {
		r := successor(t, recovering(t, journals))
		t.Cleanup(func() { _ = r.journal.close() })
		x, y := pair(t)
		s := &session{r: r, c: NewConn(x)}
		r.sessions[s] = struct{}{}
		return r, s, NewConn(y)
	}
	answer := func(t *testing.T, c *Conn) Message {
		t.Helper()
		m, _, err := c.Receive()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	t.Run("is_unknown_to_who_joins", func(t *testing.T) {
		r, s, daemon := begin(t, nil)
		r.accept(s, &Start{Attempt: "a", Attach: true}, nil)
		if m, ok := answer(t, daemon).(*Unknown); !ok || m.Attempt != "a" {
			t.Errorf("%+v", m)
		}
	})
	t.Run("is_cancelled_and_leaves_nothing", func(t *testing.T) {
		r, s, daemon := begin(t, nil)
		if err := makeDir(r.work + "/a"); err != nil {
			t.Fatal(err)
		}
		r.accept(s, &Start{Attempt: "a", Cancel: true, Attach: true}, nil)
		if m, ok := answer(t, daemon).(*Ended); !ok || m.Cause != CauseCancel || m.Exit != -1 || m.StartedAt != 0 || m.EndedAt == 0 {
			t.Errorf("%+v", m)
		}
		if _, err := os.Stat(r.work + "/a"); !os.IsNotExist(err) {
			t.Errorf("its directory: %v", err)
		}
	})
	t.Run("may_be_with_a_runner_that_lives", func(t *testing.T) {
		r, s, daemon := begin(t, nil)
		lock, err := tryLock(r.o.lockPath(1))
		if err != nil {
			t.Fatal(err)
		}
		j, err := newJournal(r.o.journalPath(1), "boot", history("a", recPrepare, recIntent))
		if err != nil {
			t.Fatal(err)
		}
		defer j.close()
		r.accept(s, &Start{Attempt: "a", Attach: true}, nil)
		if m, ok := answer(t, daemon).(*Refused); !ok || m.Code != CodeElsewhere || m.Permanent {
			t.Errorf("%+v", m)
		}
		if err := j.append(&record{Kind: recEnd, Attempt: "a"}); err != nil {
			t.Fatal(err)
		}
		_ = lock.Close() // it leaves, and what it wrote is taken over
		<-r.changed      // by the start
		r.accept(s, &Start{Attempt: "a", Attach: true}, nil)
		if m, ok := answer(t, daemon).(*Ended); !ok || m.Cause != CauseNone {
			t.Errorf("%+v", m)
		}
		<-r.changed // who keeps house looks after it
		if err := j.append(&record{Kind: recRelease, Attempt: "a"}); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("may_be_in_a_journal_that_can_not_be_read", func(t *testing.T) {
		r, s, daemon := begin(t, nil)
		if err := os.Mkdir(r.o.journalPath(1), 0o700); err != nil {
			t.Fatal(err)
		}
		r.accept(s, &Start{Attempt: "a", Attach: true}, nil)
		if m, ok := answer(t, daemon).(*Refused); !ok || m.Code != CodeElsewhere {
			t.Errorf("%+v", m)
		}
	})
}

// The processes of an attempt whose runner died are watched until they end, and end
// themselves when its time is over.
func TestWatch(t *testing.T) {
	begin := func(t *testing.T, p process, timeout time.Duration) *runner {
		now := time.Now().UnixMicro()
		r := successor(t, recovering(t, map[int][]record{2: {
			{Kind: recPrepare, Attempt: "a"},
			{Kind: recIntent, Attempt: "a", At: now, Timeout: timeout.Microseconds(), Grace: 1000},
			{Kind: recPID, Attempt: "a", PID: int64(p.pid), From: p.start, To: p.start},
		}}))
		t.Cleanup(func() { _ = r.journal.close() })
		return r
	}
	t.Run("lost_when_they_are_gone_and_not_before", func(t *testing.T) {
		p := sleeper(t)
		r := begin(t, p, time.Hour)
		time.Sleep(2 * lookEvery)
		r.mu.Lock()
		if a := r.attempts["a"]; a.phase != running || r.live != 1 {
			t.Errorf("it lives and is %+v", a)
		}
		r.mu.Unlock()
		if err := signalProcess(p, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.settledBy(t, 10*time.Second)
		if a := r.attempts["a"]; a.cause != CauseLost {
			t.Errorf("%+v", a)
		}
	})
	t.Run("ended_when_the_time_is_over", func(t *testing.T) {
		p := sleeper(t)
		r := begin(t, p, 50*time.Millisecond)
		r.settledBy(t, 10*time.Second)
		if a := r.attempts["a"]; a.cause != CauseTimeout {
			t.Errorf("%+v", a)
		}
		if q, err := readProcess(p.pid); err == nil && q.start == p.start && !q.dead() {
			t.Error("it lives")
		}
	})
	t.Run("lost_when_the_number_is_another_process", func(t *testing.T) {
		p := sleeper(t)
		p.start -= 100
		r := begin(t, p, time.Hour)
		r.settledBy(t, 10*time.Second)
		if a := r.attempts["a"]; a.cause != CauseLost {
			t.Errorf("%+v", a)
		}
		p.start += 100
		if q, err := readProcess(p.pid); err != nil || q.dead() {
			t.Errorf("a stranger was ended: %+v %v", q, err)
		}
	})
}
