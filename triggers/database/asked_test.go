package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// sourceOf makes the source of a rig, which is only asked.
func sourceOf(t *testing.T, r *rig) *source {
	t.Helper()
	made, err := triggers.Make(r.kind, r.fields)
	if err != nil {
		t.Fatal(err)
	}
	s := made.Source.(*source)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func keysOf(events []triggers.Event) []string {
	keys := []string{}
	for _, e := range events {
		keys = append(keys, e.Key)
	}
	return keys
}

func codesOf(ws []graph.Warning) []string {
	var codes []string
	for _, w := range ws {
		codes = append(codes, w.Code)
	}
	return codes
}

func TestProbe_lists_the_last_rows_of_a_trigger_that_is_only_considered(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("INSERT INTO samples VALUES (1, 'a', NULL), (2, 'b', 'x'), (3, 'c', 'y')")
	p, err := sourceOf(t, on(t, path, "samples", map[string]any{"cursor": "at"})).Probe(t.Context(), triggers.From{})
	if err != nil {
		t.Fatal(err)
	}
	if got := keysOf(p.Events); !slices.Equal(got, []string{`"x",2`, `"y",3`}) || !p.AsIfNew || p.Counts.WouldFire != 2 {
		t.Errorf("%v, as if new %v, %d would fire", got, p.AsIfNew, p.Counts.WouldFire)
	}
	if got := codesOf(p.Warnings); !slices.Equal(got, []string{"null_cursor", "no_index"}) {
		t.Errorf("warnings %v", got)
	}
}

func TestProbe_lists_what_the_next_poll_would_find_and_changes_nothing(t *testing.T) {
	path, w := lab(t, "wal")
	r := on(t, path, "samples", map[string]any{"limit": int64(2)})
	stop := r.start()
	r.active()
	stop()
	w.do("INSERT INTO samples VALUES (1, 'a', NULL), (2, 'b', NULL), (3, 'c', NULL)")
	s := sourceOf(t, r)
	for range 2 {
		p, err := s.Probe(t.Context(), r.from())
		if err != nil {
			t.Fatal(err)
		}
		if got := keysOf(p.Events); !slices.Equal(got, []string{"1", "2"}) || p.AsIfNew || !slices.Contains(codesOf(p.Warnings), "more_rows") {
			t.Errorf("%v, as if new %v, %v", got, p.AsIfNew, p.Warnings)
		}
	}
	r.start()
	r.has("1", "2", "3")
}

func TestProbe_of_mode_level(t *testing.T) {
	path, w := lab(t, "wal")
	s := sourceOf(t, on(t, path, "samples", map[string]any{"mode": "level"}))
	if p, err := s.Probe(t.Context(), triggers.From{}); err != nil || len(p.Events) != 0 {
		t.Errorf("without rows: %v %v", p.Events, err)
	}
	w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
	if p, err := s.Probe(t.Context(), triggers.From{}); err != nil || len(p.Events) != 1 {
		t.Errorf("with a row: %v %v", p.Events, err)
	}
}

func TestProbe_warns_of_rowids_that_may_change(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("CREATE TABLE notes (text TEXT)")
	p, err := sourceOf(t, on(t, path, "notes", nil)).Probe(t.Context(), triggers.From{})
	if err != nil || !slices.Equal(codesOf(p.Warnings), []string{"rowid_cursor"}) {
		t.Errorf("%v %v", p.Warnings, err)
	}
}

func TestBackfill_reports_every_row_with_the_key_that_it_has(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1203) INSERT INTO samples SELECT i, 'a', 'x' FROM n")
	r := on(t, path, "samples", map[string]any{"where_clauses": "id <> 7"})
	r.start()
	r.active()
	w.do("INSERT INTO samples VALUES (2000, 'new', NULL)")
	r.has("2000")
	var keys []string
	err := sourceOf(t, r).Backfill(t.Context(), triggers.From{}, triggers.Range{}, func(es []triggers.Event) error {
		if len(es) > page {
			t.Errorf("%d events at a time", len(es))
		}
		if !strings.Contains(string(es[0].Payload), `"backfill":true`) {
			t.Errorf("%s does not say that it is of a backfill", es[0].Payload)
		}
		keys = append(keys, keysOf(es)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1203 || keys[0] != "1" || keys[6] != "8" || keys[1202] != "2000" {
		t.Errorf("%d keys from %s to %s", len(keys), keys[0], keys[len(keys)-1])
	}
}

func TestBackfill_refuses_what_it_can_not_do_and_returns_the_error_it_is_given(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
	fail := func([]triggers.Event) error { return errStop }
	for want, c := range map[string]struct {
		fields map[string]any
		r      triggers.Range
	}{
		"mode: mode level":          {map[string]any{"mode": "level"}, triggers.Range{}},
		"path: rows have no path":   {nil, triggers.Range{Path: "/x"}},
		"since: rows are ordered":   {nil, triggers.Range{Since: time.Now()}},
		fmt.Sprint(errStop.Error()): {nil, triggers.Range{}},
	} {
		err := sourceOf(t, on(t, path, "samples", c.fields)).Backfill(t.Context(), triggers.From{}, c.r, fail)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestQuestions_give_up_with_their_context(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO samples SELECT i, 'a', NULL FROM n")
	s := sourceOf(t, on(t, path, "samples", map[string]any{
		"query_timeout": "1h", "where_clauses": "(SELECT count(*) FROM samples a, samples b, samples c WHERE a.id + b.id + c.id < 0) = 1",
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Check(ctx); err == nil {
		t.Error("no error")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	time.Sleep(50 * time.Millisecond) // what was left behind ends by itself
}
