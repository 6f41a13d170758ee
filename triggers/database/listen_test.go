package database

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// listening starts to listen; woken has a channel's name for each call of wake.
func listening(t *testing.T, url string, channels ...string) (woken chan string, ended chan error, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	woken, ended = make(chan string, 100), make(chan error, 1)
	go func() {
		ended <- postgresDialect{}.listen(ctx, must(parseURL(url)), channels, func(channel string) { woken <- channel })
	}()
	t.Cleanup(cancel)
	return woken, ended, cancel
}

func soon[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(prompt):
		t.Fatalf("not within %s: %s", prompt, what)
	}
	return v
}

func TestListen_wakes_when_it_begins_and_at_each_notification(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, db := s.Database(t)
	const odd = `new "runs"`
	woken, ended, stop := listening(t, s.URL(name), "runs", odd)
	for _, want := range []string{"runs", odd} {
		if got := soon(t, "listening", woken); got != want {
			t.Errorf("%q is listened to, not %q", got, want)
		}
	}
	dbtest.Exec(t, db, "NOTIFY runs", "NOTIFY other", `NOTIFY "new ""runs"""`, "NOTIFY runs, 'with a text'")
	for _, want := range []string{"runs", odd, "runs"} {
		if got := soon(t, "a notification", woken); got != want {
			t.Errorf("%q is notified, not %q", got, want)
		}
	}
	stop()
	if err := soon(t, "the end", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	eventually(t, "its connection is closed", func() bool {
		return one[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'latticed' AND datname = current_database()") == 0
	})
}

func TestListen_ends_when_its_connection_is_lost(t *testing.T) {
	s := dbtest.Postgres(t)
	name, _ := s.Database(t)
	way := dbtest.NewProxy(t, s)
	url := s.URLAt(way.Address, dbtest.User, dbtest.Password, name)
	for what, f := range map[string]struct{ lose, find func() }{
		"killed": {func() { s.Kill(t) }, func() { s.Start(t) }},
		"cut":    {way.Cut, way.Restore},
	} {
		woken, ended, _ := listening(t, url, "runs")
		soon(t, "listening", woken)
		f.lose()
		if err := soon(t, "the end", ended); (postgresDialect{}).judge(err) != troubleLost {
			t.Errorf("%s: judged %v: %v", what, postgresDialect{}.judge(err), err)
		}
		f.find()
	}
}

func TestListen_stops_although_the_server_does_not_answer(t *testing.T) {
	s := dbtest.Postgres(t)
	name, _ := s.Database(t)
	woken, ended, stop := listening(t, s.URL(name), "runs")
	soon(t, "listening", woken)
	s.Suspend(t)
	stop()
	if err := soon(t, "the end", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

func TestListen_says_that_it_may_not(t *testing.T) {
	s := dbtest.SharedPostgres(t)
	name, _ := s.Database(t)
	_, ended, _ := listening(t, s.URLFor(dbtest.User, "Wr0ngPassword", name), "runs")
	err := soon(t, "the end", ended)
	if (postgresDialect{}).judge(err) != troubleDenied || strings.Contains(err.Error(), "Wr0ng") {
		t.Errorf("judged %v: %v", postgresDialect{}.judge(err), err)
	}
}
