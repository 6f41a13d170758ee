package triggers

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	began := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	at := func(c *clock, passed, ahead time.Duration) time.Duration {
		return c.stepped(began.Add(passed+ahead), passed)
	}
	t.Run("passing_time_is_no_step", func(t *testing.T) {
		c := newClock(began)
		for i := range 1000 {
			if by := at(c, time.Duration(i)*clockLook, 0); by != 0 {
				t.Fatal(by)
			}
		}
	})
	t.Run("a_step_is_told_once_in_either_direction", func(t *testing.T) {
		c := newClock(began)
		for i, ahead := range []time.Duration{time.Hour, time.Hour, -2 * time.Hour, -2 * time.Hour, 0} {
			want := []time.Duration{time.Hour, 0, -3 * time.Hour, 0, 2 * time.Hour}[i]
			if by := at(c, time.Duration(i+1)*clockLook, ahead); by != want {
				t.Errorf("look %d: %s, want %s", i, by, want)
			}
		}
	})
	t.Run("small_steps_add_up", func(t *testing.T) {
		c, steps := newClock(began), 0
		for i := range 10 {
			if at(c, time.Duration(i)*clockLook, time.Duration(i)*400*time.Millisecond) != 0 {
				steps++
			}
		}
		if steps != 3 {
			t.Errorf("%d steps for 3.6 s", steps)
		}
	})
}

func TestReclock_looks_at_the_wall(t *testing.T) {
	now := time.Now()
	slept, back := now.Add(-time.Minute), now.Add(time.Hour)
	k := &keeper{firedKnown: true, window: []Pending{{Event: Event{At: slept}}, {Event: Event{At: back}}}}
	k.reclock()
	if at := k.window[0].At; at != slept.Round(0) || k.firedKnown {
		t.Errorf("%s counts what has passed without the machine asleep", at)
	}
	if at := k.window[1].At; at.Before(now) || at.After(time.Now()) {
		t.Errorf("%s is yet to come, %s from now", at, at.Sub(now))
	}
}

func TestWatchClock_is_quiet_and_gives_its_descriptor_back(t *testing.T) { // the clock of a test is not to be set
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	before := timers(t)
	select {
	case <-WatchClock(ctx):
		t.Error("nobody has set the clock")
	case <-time.After(50 * time.Millisecond):
	}
	stop()
	for deadline := time.Now().Add(10 * time.Second); timers(t) > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the descriptor is still open")
		}
	}
}

// timers counts the open timers of the kernel.
func timers(t *testing.T) (n int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if what, err := os.Readlink(fd); err == nil && what == "anon_inode:[timerfd]" {
			n++
		}
	}
	return n
}
