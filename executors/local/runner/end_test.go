package runner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// atEnd is an attempt whose processes are gone, and that nobody has reported yet.
func atEnd(t *testing.T, r *runner, id string, exit int64) *attempt {
	t.Helper()
	a := newAttempt(id, filepath.Join(r.work, id))
	if err := makeRoom(a); err != nil {
		t.Fatal(err)
	}
	for _, rec := range []record{{Kind: recPrepare, Attempt: id}, {Kind: recIntent, Attempt: id, At: 1}} {
		if err := r.journal.append(&rec); err != nil {
			t.Fatal(err)
		}
	}
	a.phase, a.exit, a.at = ending, exit, time.UnixMicro(5)
	r.mu.Lock()
	r.attempts[id] = a
	r.live++
	r.mu.Unlock()
	t.Cleanup(func() { closeLogs(a) })
	return a
}

// journaled is what a next runner would know.
func journaled(t *testing.T, r *runner, id string) *past {
	t.Helper()
	recs, err := readJournal(r.journal.path, r.boot)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range fold(recs) {
		if p.attempt == id {
			return p
		}
	}
	return nil
}

func TestFinish_writes_an_end_before_it_tells_it(t *testing.T) {
	r, s, daemon := testRunner(t)
	a := atEnd(t, r, "a", 3)
	a.notes = []string{strings.Repeat("x", maxNotes-10), "0123456789", "one too many"}
	a.wishes[s] = wish{}
	go r.finish(a)
	m, _, err := daemon.Receive()
	p := journaled(t, r, "a")
	if e, ok := m.(*Ended); err != nil || !ok || e.Exit != 3 || e.EndedAt != 5 {
		t.Fatalf("%+v %v", m, err)
	}
	if p == nil || p.end == nil || p.end.Exit != 3 || p.end.At != 5 || len(p.end.Notes) != 2 {
		t.Errorf("in the journal: %+v", p)
	}
	r.settledBy(t, time.Second)
}

// An end that nobody waits for keeps no descriptors while it waits for its daemon.
func TestFinish_keeps_nothing_open_for_nobody(t *testing.T) {
	keepsNoDescriptor(t)
	r, s, daemon := testRunner(t)
	a := atEnd(t, r, "a", 0)
	if _, err := unix.Write(a.logs[0], []byte("text")); err != nil {
		t.Fatal(err)
	}
	r.finish(a)
	if a.logs != [2]int{-1, -1} {
		t.Errorf("open: %v", a.logs)
	}
	r.accept(s, &Start{Attempt: "a", Attach: true}, nil) // it comes, and has it all
	if m, _, err := daemon.Receive(); err != nil || string(m.(*Ended).Stdout.Data) != "text" {
		t.Errorf("%+v %v", m, err)
	}
	b := atEnd(t, r, "b", 0)
	b.wishes[s] = wish{}
	r.finish(b)
	if b.logs[0] < 0 {
		t.Error("closed although somebody waits")
	}
	r.leave(s)
	if b.logs != [2]int{-1, -1} || len(r.sessions) != 0 {
		t.Errorf("after that has left: %v", b.logs)
	}
}

func TestRelease(t *testing.T) {
	begin := func(t *testing.T) (*runner, *attempt) {
		keepsNoDescriptor(t)
		r, _, _ := testRunner(t)
		a := atEnd(t, r, "a", 0)
		write(t, a.dir+"/file", "x")
		return r, a
	}
	left := func(t *testing.T, dir string) bool {
		t.Helper()
		names, err := list(filepath.Dir(dir))
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(names, filepath.Base(dir))
	}
	// release does what is done beside it as well.
	release := func(r *runner, m *Release) {
		r.jobs = make(chan func(), 1)
		r.release(m)
		for len(r.jobs) > 0 {
			(<-r.jobs)()
		}
		r.mu.Lock()   // it is free
		r.mu.Unlock() //nolint:staticcheck // only tried
	}
	t.Run("forgets_it_and_its_directory", func(t *testing.T) {
		r, a := begin(t)
		r.finish(a)
		release(r, &Release{Attempt: "a"})
		if left(t, a.dir) || r.attempts["a"] != nil {
			t.Errorf("left: %v %v", left(t, a.dir), r.attempts["a"])
		}
		if p := journaled(t, r, "a"); p == nil || p.release == nil || p.release.Keep {
			t.Errorf("in the journal: %+v", p)
		}
		if r.journal.live["a"] != nil {
			t.Error("the next journal would have it")
		}
		r.rooms.clean()
	})
	t.Run("keeps_a_directory_from_now_on", func(t *testing.T) {
		r, a := begin(t)
		r.finish(a)
		old := time.Now().Add(-100 * time.Hour)
		if err := os.Chtimes(a.dir, old, old); err != nil {
			t.Fatal(err)
		}
		release(r, &Release{Attempt: "a", Keep: true})
		if p := journaled(t, r, "a"); p == nil || p.release == nil || !p.release.Keep {
			t.Errorf("in the journal: %+v", p)
		}
		r.sweep(time.Now())
		if !left(t, a.dir+"/file") {
			t.Error("it is gone")
		}
		r.sweep(time.Now().Add(r.o.KeepDirs + time.Hour))
		if left(t, a.dir) {
			t.Error("it is there for ever")
		}
	})
	t.Run("does_nothing_to_one_that_runs", func(t *testing.T) {
		for _, in := range []phase{starting, running, ending} {
			r, a := begin(t)
			a.phase = in
			release(r, &Release{Attempt: "a"})
			if !left(t, a.dir) || r.attempts["a"] != a || journaled(t, r, "a").release != nil {
				t.Errorf("in phase %d it is gone", in)
			}
		}
	})
	t.Run("removes_what_only_lies_there", func(t *testing.T) {
		r, a := begin(t)
		delete(r.attempts, "a") // of a runner before the last reboot
		release(r, &Release{Attempt: "a"})
		if left(t, a.dir) {
			t.Error("it is there still")
		}
		r.rooms.clean()
	})
	t.Run("takes_no_path", func(t *testing.T) {
		r, _ := begin(t)
		write(t, r.o.StateDir+"/precious/x", "")
		for _, name := range []string{"../precious", ".runner", "", "a/../../precious"} {
			release(r, &Release{Attempt: name})
		}
		if !left(t, r.o.StateDir+"/precious/x") || !left(t, r.o.ownDir()+"/journal.1") {
			t.Error("something else is gone")
		}
	})
}

func TestList_tells_what_is_not_released(t *testing.T) {
	r, _, _ := testRunner(t)
	for id, a := range map[string]attempt{
		"well": {phase: ended}, "asked": {phase: ended, cause: CauseCancel, exit: -1}, "exit": {phase: ended, exit: 1}, "signal": {phase: ended, exit: -1, signal: 9},
		"late": {phase: ended, cause: CauseTimeout}, "lost": {phase: ended, cause: CauseLost, exit: -1}, "judged": {phase: ended, failed: true}, "on": {phase: running}, "going": {phase: ending},
	} {
		r.attempts[id] = &a
	}
	l := r.list(7)
	slices.Sort(l.Ended)
	slices.Sort(l.Failed)
	if l.Request != 7 || !slices.Equal(l.Ended, []string{"asked", "well"}) || !slices.Equal(l.Failed, []string{"exit", "judged", "late", "lost", "signal"}) {
		t.Errorf("%+v", l)
	}
}

// The next daemon may ask before the last words of the one that died were read.
func TestList_waits_for_what_a_daemon_said_before_it_died(t *testing.T) {
	r, died, daemon := testRunner(t)
	a := attempt{id: "a", phase: ended}
	r.attempts["a"] = &a
	if died.c.hungUp() {
		t.Error("it lives still")
	}
	if err := daemon.Send(&Failed{Attempt: "a"}); err != nil {
		t.Fatal(err)
	}
	daemon.Close()
	x, y := pair(t)
	next := &session{r: r, c: NewConn(x), n: 1, gone: make(chan struct{})}
	r.sessions[next] = struct{}{}
	go next.handle(&List{Request: 1}, nil)
	go func() {
		for {
			m, fds, err := died.c.Receive()
			if err != nil {
				r.leave(died)
				return
			}
			died.handle(m, fds)
		}
	}()
	m, _, err := NewConn(y).Receive()
	if l, ok := m.(*Attempts); !ok || !slices.Equal(l.Failed, []string{"a"}) {
		t.Errorf("%+v, %v", m, err)
	}
	y.Close()
	if !next.c.hungUp() {
		t.Error("it has hung up")
	}
	next.handle(&List{Request: 2}, nil) // itself is not waited for
}

func TestLog_hands_out_logs_and_nothing_else(t *testing.T) {
	keepsNoDescriptor(t)
	r, s, daemon := testRunner(t)
	a := atEnd(t, r, "a", 0)
	if _, err := unix.Write(a.logs[1], []byte("oops")); err != nil {
		t.Fatal(err)
	}
	write(t, a.dir+"/.secret", "x")
	if err := os.Symlink("/etc/passwd", r.work+"/link"); err != nil {
		t.Fatal(err)
	}
	b := atEnd(t, r, "b", 0)
	if err := os.Remove(b.logPath(0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", b.logPath(0)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ attempt, stream, text, problem string }{
		{"a", "stderr", "oops", ""},
		{"a", "stdout", "", ""},
		{"a", "secret", "", ProblemMissing},
		{"a", "", "", ProblemMissing},
		{"none", "stdout", "", ProblemMissing},
		{"../a", "stdout", "", ProblemMissing},
		{".runner", "stdout", "", ProblemMissing},
		{"b", "stdout", "", ProblemIrreg},
	} {
		s.handle(&Log{Request: 9, Attempt: c.attempt, Stream: c.stream}, nil)
		m, fds, err := daemon.Receive()
		rep, ok := m.(*Reply)
		if err != nil || !ok || rep.Request != 9 || rep.Problem != c.problem || rep.FD != (c.problem == "") || len(fds) != 1 && rep.FD {
			t.Fatalf("%+v: %+v %v", c, m, err)
		}
		if rep.FD {
			buf := make([]byte, 10)
			if n, err := preadFull(fds[0], buf, 0); string(buf[:n]) != c.text || err != nil {
				t.Errorf("%+v: %q %v", c, buf[:n], err)
			}
		}
		CloseAll(fds)
	}
}

func TestCheck_tells_what_would_be_in_the_way(t *testing.T) {
	keepsNoDescriptor(t)
	r, s, daemon := testRunner(t)
	ask := func() string {
		t.Helper()
		s.handle(&Check{Request: 3}, nil)
		m, _, err := daemon.Receive()
		if err != nil || m.(*Reply).Request != 3 {
			t.Fatalf("%+v %v", m, err)
		}
		return m.(*Reply).Problem
	}
	if p := ask(); p != "" {
		t.Errorf("%q", p)
	}
	if names, err := list(r.o.ownDir()); err != nil || len(names) != 1 {
		t.Errorf("it has left %v %v", names, err)
	}
	if err := os.Rename(r.work, r.work+"2"); err != nil {
		t.Fatal(err)
	}
	r.stray = true // told already
	if p := ask(); p != CodeMoved {
		t.Errorf("%q", p)
	}
}
