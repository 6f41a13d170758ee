package runner

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// sleeper starts a process that is nobody's child here.
func sleeper(t *testing.T) process {
	t.Helper()
	out, err := exec.Command("sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGKILL) })
	p, err := readProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testRunner is a runner that serves one session and starts nothing.
func testRunner(t *testing.T) (*runner, *session, *Conn) {
	t.Helper()
	o := Options{StateDir: t.TempDir()}
	if err := o.defaults(); err != nil {
		t.Fatal(err)
	}
	if err := makeWork(&o); err != nil {
		t.Fatal(err)
	}
	r := newRunner(o, "boot", zerolog.New(io.Discard))
	var err error
	if r.journal, err = newJournal(o.journalPath(1), "boot", nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.journal.close() })
	x, y := pair(t)
	s := &session{r: r, c: NewConn(x), gone: make(chan struct{})}
	r.sessions[s] = struct{}{}
	return r, s, NewConn(y)
}

// An attempt of which something does not die stays running, says so, and ends only
// when nothing is left.
func TestSurvivors_are_reported_until_they_are_gone(t *testing.T) {
	r, s, daemon := testRunner(t)
	p := sleeper(t)
	var mu sync.Mutex
	immortal := true
	r.signal = func(p process, sig unix.Signal) error {
		mu.Lock()
		defer mu.Unlock()
		if immortal {
			return unix.EPERM
		}
		return signalProcess(p, sig)
	}
	a := newAttempt("a", r.work+"/a")
	a.orphan, a.pid, a.from, a.to, a.phase = true, p.pid, p.start, p.start, running
	a.grace = 10 * time.Millisecond
	a.wishes[s] = wish{}
	r.attempts["a"] = a
	r.live = 1
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { r.stop(a, CauseCancel) })

	m, _, err := daemon.Receive()
	c, ok := m.(*Condition)
	if err != nil || !ok || c.Code != Survivors || !strings.Contains(c.Detail, strconv.Itoa(p.pid)) {
		t.Fatalf("%+v, %v", m, err)
	}
	// Who asks later is told as well, and asking to cancel again changes nothing.
	r.accept(s, &Start{Attempt: "a", Attach: true, Cancel: true}, nil)
	if m, _, err := daemon.Receive(); err != nil || m.(*Condition).Code != Survivors {
		t.Fatalf("%+v, %v", m, err)
	}
	mu.Lock()
	immortal = false
	mu.Unlock()
	if m, _, err := daemon.Receive(); err != nil || m.(*Condition).Code != "" {
		t.Fatalf("%+v, %v", m, err)
	}
	m, _, err = daemon.Receive()
	if e, ok := m.(*Ended); err != nil || !ok || e.Cause != CauseCancel {
		t.Fatalf("%+v, %v", m, err)
	}
	if q, err := readProcess(p.pid); err == nil && !q.dead() && q.start == p.start {
		t.Error("it was reported ended while it lived")
	}
}

func TestPermit(t *testing.T) {
	o := Options{UID: 101, GID: 102}
	for _, c := range []struct {
		uid, gid int
		ok       bool
	}{{1000, 1, true}, {0, 0, true}, {101, 1, true}, {7, 102, true}, {7, 7, false}, {65534, 65534, false}} {
		if err := o.permit(c.uid, c.gid, 1000); (err == nil) != c.ok {
			t.Errorf("user %d, group %d: %v", c.uid, c.gid, err)
		}
	}
	if (&Options{}).permit(7, 0, 1000) == nil {
		t.Error("without a configured group, root's may not connect")
	}
}

func TestSweep_removes_old_directories_only(t *testing.T) {
	r, _, _ := testRunner(t)
	now := time.Now()
	for name, age := range map[string]time.Duration{"old": 73 * time.Hour, "kept": 71 * time.Hour, "live": 100 * time.Hour} {
		dir := r.work + "/" + name
		if err := makeDir(dir); err != nil {
			t.Fatal(err)
		}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, dir, []unix.Timespec{
			unix.NsecToTimespec(now.Add(-age).UnixNano()), unix.NsecToTimespec(now.Add(-age).UnixNano()),
		}, 0); err != nil {
			t.Fatal(err)
		}
	}
	r.attempts["live"] = newAttempt("live", r.work+"/live")
	r.sweep(now)
	names, err := list(r.work)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(names); got != 3 { // kept, live, .runner
		t.Errorf("left: %v", names)
	}
}

func TestLock_is_held_by_one(t *testing.T) {
	path := t.TempDir() + "/lock"
	f, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path); !errors.Is(err, errTaken) {
		t.Errorf("a second lock: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = f.Close() })
	g, err := waitLock(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	_ = g.Close()
}
