package triggers_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/timer"
	"github.com/latticed/latticed/triggers/triggertest"
)

// clockwork is a manager of time triggers in simulated time, which begins at midnight.
type clockwork struct {
	*testing.T
	ledger  *triggertest.Ledger
	manager *triggers.Manager
	log     bytes.Buffer
	stop    func()
}

// inClockwork runs f with a trigger of these fields.
func inClockwork(t *testing.T, fields string, f func(w *clockwork, tr triggers.Trigger)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		w := &clockwork{T: t, ledger: triggertest.NewLedger()}
		w.ledger.AddLattice(parse(t, echo))
		w.start()
		tr, _, err := w.manager.Add(t.Context(), []byte(`{"name": "t", "kind": "time", "timezone": "UTC", "lattice": "echo", "overlap": "allow", `+fields+`}`), triggers.Principal{})
		if err != nil {
			t.Fatal(err)
		}
		f(w, tr)
		w.stop()
	})
}

func (w *clockwork) start() {
	w.manager = triggers.NewManager(w.ledger, triggers.Kinds{"time": timer.Kind}, triggers.Options{Log: zerolog.New(zerolog.SyncWriter(&w.log))})
	w.stop = runManager(w.T, w.manager)
	synctest.Wait()
}

// down stops the daemon for so long.
func (w *clockwork) down(d time.Duration) {
	w.stop()
	wait(d)
	w.start()
	wait(time.Second)
}

func (w *clockwork) patch(p string) {
	w.Helper()
	if _, _, err := w.manager.Patch(w.Context(), "t", []byte(p), triggers.Principal{}); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

// ticks lists the events as "time:state:reason", oldest first.
func (w *clockwork) ticks(tr triggers.Trigger) string {
	var out []string
	for _, e := range w.ledger.Events(tr.ID) {
		_, at, _ := strings.Cut(e.Key, "T")
		out = append(out, at[:5]+":"+string(e.State)+":"+e.Reason)
	}
	return strings.Join(out, " ")
}

func (w *clockwork) expect(tr triggers.Trigger, want string) {
	w.Helper()
	if got := w.ticks(tr); got != want {
		w.Errorf("ticks\n got %s\nwant %s", got, want)
	}
}

func TestEdit_of_a_schedule_starts_now(t *testing.T) { // pain point 32
	t.Run("and_runs_no_instant_of_before_it", func(t *testing.T) {
		inClockwork(t, `"cron": "0 9 * * *"`, func(w *clockwork, tr triggers.Trigger) {
			wait(10*time.Hour + 30*time.Minute)
			w.expect(tr, "09:00:fired:event")
			w.patch(`{"cron": "0 10 * * *"}`)
			wait(time.Hour)
			w.expect(tr, "09:00:fired:event")
			w.down(time.Hour)
			w.expect(tr, "09:00:fired:event")
			w.patch(`{"cron": "0 9 * * *"}`) // and back
			wait(time.Hour)
			w.expect(tr, "09:00:fired:event")
			wait(24 * time.Hour)
			w.expect(tr, "09:00:fired:event 09:00:fired:event")
		})
	})

	t.Run("also_when_it_becomes_a_rate", func(t *testing.T) {
		inClockwork(t, `"cron": "*/5 * * * *"`, func(w *clockwork, tr triggers.Trigger) {
			wait(7 * time.Minute)
			w.patch(`{"cron": null, "every": "10m"}`)
			wait(9 * time.Minute)
			w.expect(tr, "00:05:fired:event")
			wait(time.Minute + time.Second)
			w.expect(tr, "00:05:fired:event 00:17:fired:event")
		})
	})

	t.Run("and_its_next_instants_are_shown_before", func(t *testing.T) {
		inClockwork(t, `"cron": "0 9 * * *"`, func(w *clockwork, tr triggers.Trigger) {
			wait(10*time.Hour + 30*time.Minute)
			pv, err := w.manager.PreviewPatch(w.Context(), "t", []byte(`{"cron": "0 10 * * *"}`))
			if err != nil || len(pv.Next) != 10 || pv.Next[0].UTC().Format("02 15:04") != "02 10:00" || len(pv.WouldFire) != 0 {
				w.Errorf("%+v %v", pv, err)
			}
			w.expect(tr, "09:00:fired:event")
		})
	})
}

func TestDowntime_is_not_a_pause(t *testing.T) { // pain point 39
	inClockwork(t, `"cron": "0 * * * *"`, func(w *clockwork, tr triggers.Trigger) {
		wait(90 * time.Minute)
		w.expect(tr, "01:00:fired:event")
		w.down(5 * time.Hour) // caught up with by catch_up, which nobody is asked about
		w.expect(tr, "01:00:fired:event 06:00:fired:event")
		if _, err := w.manager.Pause(w.Context(), "t"); err != nil {
			w.Fatal(err)
		}
		wait(5 * time.Hour)
		var conflict *triggers.ConflictError
		if _, err := w.manager.Resume(w.Context(), "t", ""); !errors.As(err, &conflict) || conflict.Code != "backlog_required" {
			w.Fatal(err)
		}
		if _, err := w.manager.Resume(w.Context(), "t", triggers.BacklogSkip); err != nil {
			w.Fatal(err)
		}
		wait(time.Minute)
		for _, e := range w.ledger.Events(tr.ID)[2:] {
			if e.State != triggers.EventSkipped || e.Reason != triggers.ReasonResumed {
				w.Errorf("%s is %s, %s", e.Key, e.State, e.Reason)
			}
		}
		if n := len(w.ledger.Dispatches(tr.ID)); n != 2 {
			w.Errorf("%d dispatches", n)
		}
		if !strings.Contains(w.log.String(), `"backlog":"skip"`) {
			w.Error("the choice is not in the log")
		}
	})
}

func TestDowntime_does_not_flood(t *testing.T) { // pain point 38
	inClockwork(t, `"cron": "0 * * * *", "inputs": {"n": "${{ event.missed }}"}`, func(w *clockwork, tr triggers.Trigger) {
		wait(30 * time.Minute)
		w.down(17 * time.Hour)
		ds := w.ledger.Dispatches(tr.ID)
		if len(ds) != 1 || string(ds[0].Inputs) != `{"n":16,"path":"none"}` {
			w.Fatalf("%+v", ds)
		}
	})
}

func TestDefaults_of_catching_up_are_shown(t *testing.T) { // pain points 40 and 41
	inClockwork(t, `"cron": "0 * * * *", "cap": 7, "expect_every": "2h", "rate": "60/1h"`, func(w *clockwork, tr triggers.Trigger) {
		settings, err := w.manager.Effective(w.Context(), tr)
		if err != nil {
			w.Fatal(err)
		}
		got := map[string]triggers.Setting{}
		for _, s := range settings {
			got[s.Field] = s
		}
		for _, want := range []triggers.Setting{
			{Field: "catch_up", Value: "last", From: "default"},
			{Field: "window", Value: "24h", From: "default"},
			{Field: "cap", Value: int64(7), From: "trigger"},
			{Field: "timezone", Value: "UTC", From: "trigger"},
			{Field: "overlap", Value: "allow", From: "trigger"},
			{Field: "expect_every", Value: "2h", From: "trigger"},
			{Field: "rate", Value: "60/1h", From: "trigger"},
		} {
			if got[want.Field] != want {
				w.Errorf("%+v, want %+v", got[want.Field], want)
			}
		}
	})
}

func TestCatchUp_none_is_warned_about(t *testing.T) {
	inClockwork(t, `"cron": "0 * * * *"`, func(w *clockwork, _ triggers.Trigger) {
		_, ws, err := w.manager.Patch(w.Context(), "t", []byte(`{"catch_up": "none", "inputs": {"n": "${{ event.missed }}"}}`), triggers.Principal{})
		if err != nil || codes(ws) != "no_catch_up" {
			w.Error(ws, err)
		}
	})
}
