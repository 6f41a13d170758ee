package database

import (
	"errors"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestSource_is_degraded_while_its_database_is_away_and_failing_when_that_lasts(t *testing.T) {
	var state triggers.State
	from := triggers.From{Health: func(s triggers.State, _ string) { state = s }}
	s := &source{config: config{interval: time.Second}}
	for since, want := range map[time.Duration]triggers.State{time.Second: triggers.Degraded, overdue + time.Second: triggers.Failing} {
		retry := time.Now().Add(time.Minute)
		err := s.wait(from, &downError{reason: "away", since: time.Now().Add(-since), retry: retry})
		var until *triggers.UntilError
		if !errors.As(err, &until) || until.At.Before(retry) || until.At.After(retry.Add(time.Second)) {
			t.Errorf("%v, want to be run again after %s", err, retry)
		}
		if state != want {
			t.Errorf("away for %s: %s, want %s", since, state, want)
		}
	}
}

func TestLink_leaves_a_database_that_is_away_alone_for_longer_and_longer(t *testing.T) {
	p := newPool(Options{})
	l := newLink(p, "k", place{direct: address{engine: engineSQLite, database: t.TempDir() + "/missing.db"}})
	var waits []time.Duration
	for range 9 {
		l.down.retry = time.Time{} // it is time
		var down *downError
		if err := l.use(t.Context(), nil); !errors.As(err, &down) {
			t.Fatal(err)
		}
		waits = append(waits, time.Until(down.retry))
		if err := l.use(t.Context(), nil); !errors.As(err, &down) || time.Until(down.retry) > waits[len(waits)-1] {
			t.Fatalf("it was asked again at once: %v", err)
		}
	}
	for i, wait := range waits {
		want := min(retryFirst<<i, retryLast)
		if wait < want*7/10 || wait > want*13/10 {
			t.Errorf("wait %d is %s, want about %s: %s", i, wait, want, waits)
		}
	}
	if s := p.stats(); s.Connections != 0 {
		t.Errorf("%+v", s)
	}
	l.end()
}
