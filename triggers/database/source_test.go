package database

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestSource_polls_when_its_channel_speaks_and_no_storm_makes_it_poll_without_a_pause(t *testing.T) {
	path, _ := lab(t, "delete")
	p := newPool(Options{})
	s := &source{pool: p, config: configOf(t, map[string]any{"db_path": path, "table_name": "samples", "poll_interval": "1h"})}
	defer func() { _ = s.Close() }()
	from := triggers.From{Health: func(triggers.State, string) {}, Wake: func() {}}
	run := func() {
		t.Helper()
		err := s.Run(t.Context(), from, func(_ context.Context, b triggers.Batch) error {
			from.Cursor = b.Cursor
			return nil
		})
		var until *triggers.UntilError
		if !errors.As(err, &until) {
			t.Fatal(err)
		}
	}
	run()
	began, before := time.Now(), p.stats().Polls
	for time.Since(began) < 10*fastest {
		s.hinted.Store(true)
		run()
	}
	most := int64(time.Since(began)/fastest) + 1
	if polls := p.stats().Polls - before; polls < 1 || polls > most {
		t.Errorf("%d polls in a storm of %s, want %d at most", polls, time.Since(began), most)
	}
	s.hinted.Store(true)
	<-time.After(fastest)
	before = p.stats().Polls
	run()
	run()
	if polls := p.stats().Polls - before; polls != 1 {
		t.Errorf("%d polls for the last word", polls)
	}
}
