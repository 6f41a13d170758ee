package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/latticed/latticed/triggers"
)

// letters are what a deliver function was given.
type letters struct {
	mu  sync.Mutex
	got []letter
	err func(try int) error // nil: all goes well
}

func (l *letters) deliver(_ context.Context, got letter, _ []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, got)
	if l.err != nil {
		return l.err(len(l.got))
	}
	return nil
}

func (l *letters) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]string, len(l.got))
	for i, got := range l.got {
		all[i] = got.Trigger + " " + string(got.State)
	}
	return strings.Join(all, ", ")
}

// simulated runs f in a bubble where time passes by itself. With the race detector a
// bubble must not leave its processor.
func simulated(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}

// running makes alarms with one courier, and runs them until the test is over.
func running(t *testing.T, after time.Duration, d deliver) *alarms {
	t.Helper()
	a := &alarms{after: after, log: zerolog.Nop(), wake: make(chan struct{}, 1), troubles: map[string]*trouble{}}
	a.couriers = []*courier{newCourier("test", d, a.log)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return a
}

func alarm(trigger string, s triggers.State, reason string) triggers.Alarm {
	return triggers.Alarm{Trigger: trigger, ID: "id of " + trigger, Kind: "directory", State: s, Reason: reason, At: time.Now()}
}

func TestAlarm_is_told_after_the_grace_and_taken_back(t *testing.T) {
	simulated(t, func(t *testing.T) {
		var l letters
		a := running(t, time.Minute, l.deliver)
		a.tell(alarm("scans", triggers.Failing, "gone"))
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if l.said() != "" || a.waiting() != 1 {
			t.Errorf("told within the grace: %s, %d waiting", l.said(), a.waiting())
		}
		a.tell(alarm("scans", triggers.Failing, "gone and forgotten"))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if l.said() != "scans failing" || l.got[0].Reason != "gone and forgotten" || a.waiting() != 0 {
			t.Errorf("%s: %+v", l.said(), l.got)
		}
		a.tell(alarm("scans", triggers.Failing, "still gone"))
		time.Sleep(time.Hour)
		a.tell(alarm("scans", triggers.Active, ""))
		a.tell(alarm("scans", triggers.Active, ""))
		time.Sleep(time.Hour)
		synctest.Wait()
		if l.said() != "scans failing, scans active" {
			t.Error(l.said())
		}
	})
}

func TestAlarm_what_passes_within_the_grace_is_not_told(t *testing.T) {
	simulated(t, func(t *testing.T) {
		var l letters
		a := running(t, time.Minute, l.deliver)
		a.tell(alarm("other", triggers.Active, ""))
		for range 10 {
			a.tell(alarm("scans", triggers.Failing, "gone"))
			time.Sleep(50 * time.Second)
			a.tell(alarm("scans", triggers.Degraded, "slow"))
			time.Sleep(50 * time.Second)
		}
		synctest.Wait()
		if l.said() != "" || len(a.troubles) != 0 {
			t.Errorf("%s, %v", l.said(), a.troubles)
		}
	})
}

func TestAlarm_what_was_failing_before_a_restart_and_works_now_is_taken_back(t *testing.T) {
	simulated(t, func(t *testing.T) {
		var l letters
		a := running(t, time.Minute, l.deliver)
		for _, name := range []string{"mended", "broken"} {
			now := alarm(name, triggers.Failing, "gone")
			now.Before = true
			a.tell(now)
		}
		a.tell(alarm("mended", triggers.Active, ""))
		time.Sleep(time.Hour)
		synctest.Wait()
		if l.said() != "mended active, broken failing" {
			t.Error(l.said())
		}
		a.tell(alarm("mended", triggers.Failing, "gone again"))
		a.tell(alarm("mended", triggers.Active, ""))
		a.tell(alarm("broken", triggers.Paused, ""))
		time.Sleep(time.Hour)
		synctest.Wait()
		if l.said() != "mended active, broken failing, broken paused" {
			t.Error(l.said())
		}
	})
}

func TestAlarm_is_tried_three_times_with_longer_and_longer_pauses(t *testing.T) {
	for name, c := range map[string]struct {
		works int // the try that does
		tries int
		want  string
	}{
		"second": {2, 2, alarmDelivered},
		"third":  {3, 3, alarmDelivered},
		"never":  {9, 3, alarmFailed},
	} {
		t.Run(name, func(t *testing.T) {
			simulated(t, func(t *testing.T) {
				began := time.Now()
				var at []time.Duration
				l := letters{err: func(try int) error {
					at = append(at, time.Since(began))
					if try >= c.works {
						return nil
					}
					return errors.New("busy")
				}}
				a := running(t, 0, l.deliver)
				a.tell(alarm("scans", triggers.Failing, "gone"))
				time.Sleep(time.Hour)
				synctest.Wait()
				results, waiting := a.couriers[0].stats()
				if len(l.got) != c.tries || results[c.want] != 1 || waiting != 0 {
					t.Errorf("%d tries, %v, %d wait", len(l.got), results, waiting)
				}
				if want := []time.Duration{0, 5 * time.Second, 25 * time.Second}; !slices.Equal(at, want[:c.tries]) {
					t.Errorf("tried at %v", at)
				}
			})
		})
	}
}

func TestAlarm_one_that_hangs_holds_up_nobody_else_and_is_given_up(t *testing.T) {
	simulated(t, func(t *testing.T) {
		hangs := func(ctx context.Context, _ letter, _ []byte) error { <-ctx.Done(); return ctx.Err() }
		var log bytes.Buffer
		var l letters
		a := &alarms{log: zerolog.New(zerolog.SyncWriter(&log)), wake: make(chan struct{}, 1), troubles: map[string]*trouble{}}
		a.couriers = []*courier{newCourier("hangs", hangs, a.log), newCourier("works", l.deliver, a.log)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		a.tell(alarm("scans", triggers.Failing, "gone"))
		synctest.Wait()
		if l.said() != "scans failing" {
			t.Error("held up:", l.said())
		}
		time.Sleep(3*alarmLimit + time.Minute)
		cancel()
		<-done
		if results, _ := a.couriers[0].stats(); results[alarmFailed] != 1 {
			t.Errorf("%v", results)
		}
		if !strings.Contains(log.String(), "it did not end within 30s") {
			t.Error(log.String())
		}
	})
}

func TestAlarm_the_oldest_is_dropped_and_counted_when_too_many_wait(t *testing.T) {
	simulated(t, func(t *testing.T) {
		first := make(chan struct{})
		var l letters
		a := running(t, 0, func(ctx context.Context, got letter, body []byte) error {
			<-first
			return l.deliver(ctx, got, body)
		})
		a.tell(alarm("first", triggers.Failing, ""))
		synctest.Wait() // its courier is under way with it
		for i := range alarmQueue + 7 {
			a.tell(alarm(fmt.Sprint(i), triggers.Failing, ""))
			synctest.Wait() // in this order
		}
		close(first)
		synctest.Wait()
		results, waiting := a.couriers[0].stats()
		if results[alarmDropped] != 7 || results[alarmDelivered] != alarmQueue+1 || waiting != 0 {
			t.Errorf("%v, %d wait", results, waiting)
		}
		if l.got[0].Trigger != "first" || l.got[1].Trigger != "7" || l.got[1].Dropped != 7 || l.got[2].Dropped != 0 {
			t.Errorf("%+v", l.got[:3])
		}
	})
}

func TestAlarm_stopping_does_not_wait_for_what_is_under_way(t *testing.T) {
	simulated(t, func(t *testing.T) {
		var log bytes.Buffer
		hangs := func(ctx context.Context, _ letter, _ []byte) error { <-ctx.Done(); return ctx.Err() }
		a := &alarms{log: zerolog.New(zerolog.SyncWriter(&log)), wake: make(chan struct{}, 1), troubles: map[string]*trouble{}}
		a.couriers = []*courier{newCourier("hangs", hangs, a.log)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		a.tell(alarm("one", triggers.Failing, ""))
		synctest.Wait()
		a.tell(alarm("two", triggers.Failing, ""))
		synctest.Wait()
		began := time.Now()
		cancel()
		<-done
		results, _ := a.couriers[0].stats()
		if time.Since(began) != 0 || results[alarmFailed] != 1 || results[alarmDropped] != 1 {
			t.Errorf("%s, %v", time.Since(began), results)
		}
		if !strings.Contains(log.String(), `"trigger":"two","message":"alarm dropped: the daemon stops"`) {
			t.Error(log.String())
		}
	})
}

func TestAlarm_the_letter_says_it_in_one_sentence_too(t *testing.T) {
	for _, c := range []struct {
		state  triggers.State
		reason string
		want   string
	}{
		{triggers.Failing, "silent", "trigger scans is failing (silent)"},
		{triggers.Failing, "/in/a\nb is gone", `trigger scans is failing (/in/a\nb is gone)`},
		{triggers.Active, "", "trigger scans is not failing any more: active"},
		{triggers.Paused, "", "trigger scans is not failing any more: paused"},
		{triggers.Degraded, "slow", "trigger scans is not failing any more: degraded (slow)"},
	} {
		_, raw, err := letterOf(alarm("scans", c.state, c.reason), 0)
		var sent map[string]any
		if err = errors.Join(err, json.Unmarshal(raw, &sent)); err != nil {
			t.Fatal(err)
		}
		text, _ := sent["text"].(string)
		if !strings.HasPrefix(text, "latticed at ") || !strings.HasSuffix(text, ": "+c.want) {
			t.Error(text)
		}
		for _, field := range []string{"trigger", "id", "kind", "state", "reason", "at", "host"} {
			if _, ok := sent[field]; !ok {
				t.Errorf("%s is missing in %s", field, raw)
			}
		}
	}
}

func TestAlarm_nobody_is_told_unless_the_configuration_says_whom(t *testing.T) {
	if a := newAlarms(Alarm{after: time.Minute}, zerolog.Nop()); a != nil {
		t.Errorf("%+v", a)
	}
	var log bytes.Buffer
	a := newAlarms(Alarm{Command: []string{"/nowhere/tell"}, URL: "http://x/", after: time.Minute}, zerolog.New(&log))
	if len(a.couriers) != 2 || !strings.Contains(log.String(), "/nowhere/tell") {
		t.Errorf("%d couriers, %s", len(a.couriers), log.String())
	}
}

func TestAlarm_is_counted_in_the_metrics(t *testing.T) {
	a := newAlarms(Alarm{URL: "http://127.0.0.1:9/", after: time.Hour}, zerolog.Nop())
	a.tell(alarm("scans", triggers.Failing, "gone"))
	a.couriers[0].add(alarm("other", triggers.Failing, "gone"))
	a.couriers[0].count(alarmFailed)
	reg := prometheus.NewRegistry()
	reg.MustRegister(onlyAlarms{&daemon{bell: &bell{now: a}}})
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, m := range all {
		got += m.String() + "\n"
	}
	for _, want := range []string{"latticed_alarms_waiting", "latticed_alarms_queue", "latticed_alarms_total", `value:"dropped"`, `value:"failed"`, `value:"url"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	(&daemon{bell: &bell{}}).collectAlarms(meter{}) // nobody is told
}

// onlyAlarms collects nothing else of a daemon.
type onlyAlarms struct{ *daemon }

func (o onlyAlarms) Collect(to chan<- prometheus.Metric) { o.collectAlarms(meter{to}) }

func TestAlarm_says_when_in_UTC_and_microseconds(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_789, time.FixedZone("", 3600))
	_, body, err := letterOf(triggers.Alarm{Trigger: "a", State: triggers.Failing, At: at}, 0)
	if err != nil || strings.Count(string(body), `"at":`) != 1 || !strings.Contains(string(body), `"at":"2026-01-02T02:04:05.600000Z"`) {
		t.Errorf("%s %v", body, err)
	}
}
