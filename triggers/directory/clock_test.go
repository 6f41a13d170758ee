package directory

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestShift_keeps_the_quiet_time_when_the_clock_is_set(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		now := time.Now()
		w := newWatch(&config{want: ready, settle: time.Minute}, &hub{}, triggers.From{})
		for name, ago := range map[string]time.Duration{"old": 50 * time.Second, "new": 10 * time.Second} {
			f := &file{entry: entry{owed: ready, since: now.Add(-ago).UnixNano()}}
			w.link(f, w.top, name)
			w.await(f)
		}
		w.link(&file{}, w.top, "known")
		w.shift(step)
		if len(w.waits) != 2 || w.waits[0].name != "old" || w.waits[0].due != now.Add(step+10*time.Second).UnixNano() {
			t.Errorf("%s: %+v", step, w.waits)
		}
	}
}

func TestStepped_is_nothing_while_time_passes_as_it_does(t *testing.T) {
	if d := stepped(time.Time{}, time.Now()); d != 0 {
		t.Error(d)
	}
	synctest.Test(t, func(t *testing.T) {
		before := time.Now()
		time.Sleep(time.Hour) // simulated
		if d := stepped(before, time.Now()); d.Abs() > time.Millisecond {
			t.Error(d)
		}
	})
}

func TestAnswered_gives_up_when_the_path_does_not_answer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		dead := make(chan struct{})
		err := answered(ctx, "/in", func() error { <-dead; return nil })
		if err == nil || !strings.Contains(err.Error(), "/in does not answer") {
			t.Error(err)
		}
		close(dead)
		if err := answered(t.Context(), "/in", func() error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestHangs_is_told_while_the_folder_does_not_answer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var states []triggers.State
		dead := make(chan struct{})
		w := newWatch(&config{path: "/in"}, &hub{}, triggers.From{Health: func(s triggers.State, _ string) { states = append(states, s) }})
		w.nextLook = time.Now().Add(24 * time.Hour)
		w.batch.Cursor = []byte("{}")
		w.alarm = time.AfterFunc(patience, w.hangs)
		defer w.alarm.Stop()
		w.emit = func(context.Context, triggers.Batch) error { time.Sleep(time.Hour); return nil } // the ledger's fault
		if err := w.turn(t.Context()); err != nil || len(states) > 0 {
			t.Fatal(states, err)
		}
		time.Sleep(time.Hour) // between turns nothing is asked
		go func() {
			w.alarm.Reset(patience)
			<-dead
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(states) != 1 || states[0] != triggers.Failing {
			t.Error(states)
		}
		close(dead)
	})
}

// A folder that answers again is well at once, not only after the next look.
func TestHangs_is_taken_back_once_the_folder_answers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var states []triggers.State
		w := newWatch(&config{path: "/in"}, &hub{}, triggers.From{Health: func(s triggers.State, _ string) { states = append(states, s) }})
		w.root = &folder{}
		w.nextLook = time.Now().Add(24 * time.Hour)
		w.alarm = time.AfterFunc(patience, w.hangs)
		defer w.alarm.Stop()
		time.Sleep(time.Minute) // in the middle of something
		synctest.Wait()
		if err := w.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(states) != 2 || states[0] != triggers.Failing || states[1] != triggers.Active {
			t.Error(states)
		}
	})
}
