package store

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

// plan says how SQLite would run a query.
func plan(t *testing.T, s *Store, q string, args ...any) string {
	t.Helper()
	var steps []struct{ Detail string }
	if err := s.read.Raw("EXPLAIN QUERY PLAN "+q, args...).Scan(&steps).Error; err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	var all []string
	for _, st := range steps {
		all = append(all, st.Detail)
	}
	return strings.Join(all, "; ")
}

// TestListsWalkAnIndex proves that no page sorts or scans what it does not show,
// however many rows there are.
func TestListsWalkAnIndex(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "a")
	d := insert(t, s, dispatchOf(l))
	now := time.Now()
	for _, test := range []struct {
		index string
		f     DispatchFilter
	}{
		{"dispatches_created", DispatchFilter{}},
		{"dispatches_created", DispatchFilter{Since: now, Until: now}},
		{"dispatches_status", DispatchFilter{Status: []graph.Status{graph.Failed}, Owner: "anna"}},
		{"dispatches_owner", DispatchFilter{Owner: "anna"}},
		{"dispatches_lattice_name", DispatchFilter{Lattice: "of-a", Status: []graph.Status{graph.Failed}}},
		{"dispatches_lattice", DispatchFilter{Lattice: l.ID, Owner: "anna"}},
		{"dispatches_trigger", DispatchFilter{Trigger: tr.ID, Status: []graph.Status{graph.Completed}}},
		{"dispatches_parent", DispatchFilter{Parent: d.ID, Owner: "anna"}},
		{"dispatch_labels_value", DispatchFilter{Labels: map[string]string{"a": "b", "c": "d"}, Owner: "anna"}},
		{"dispatches_status", DispatchFilter{Status: []graph.Status{graph.Failed}, Since: now, Inputs: map[string]string{"a": "b"}}},
	} {
		for _, after := range []*pageCursor{nil, {A: 1, N: 1}} {
			for _, ascending := range []bool{false, true} {
				err := s.snapshot(t.Context(), func(r *reader) error {
					branches, err := r.dispatchBranches(&test.f)
					if err != nil || len(branches) != 1 {
						return fmt.Errorf("%d branches, %w", len(branches), err)
					}
					q, args := branches[0].query(after, ascending, 50)
					if p := plan(t, s, q, args...); strings.Contains(p, "TEMP B-TREE") || !strings.Contains(strings.ReplaceAll(p+";", ";", " "), "INDEX "+test.index+" ") {
						t.Errorf("%+v: %s", test.f, p)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for name, q := range map[string]string{
		"pending":       strings.ReplaceAll(pendingNumbers, "?", "5"),
		"window":        "SELECT e.n FROM events e WHERE e.trigger = 1 AND e.firing IS NULL AND e.n > 5 ORDER BY e.n LIMIT 5",
		"path":          "SELECT e.n FROM events e WHERE e.path = x'00' ORDER BY e.n DESC LIMIT 5",
		"changes":       "SELECT seq FROM dispatches WHERE seq > 5 ORDER BY seq LIMIT 5",
		"oldest event":  "SELECT at FROM events WHERE trigger = 1 AND firing IS NULL ORDER BY n LIMIT 1",
		"dedupe":        "SELECT DISTINCT dedupe FROM events WHERE trigger = 1 AND dedupe IN ('a', 'b')",
		"lattices":      "SELECT n FROM lattices l WHERE 1 ORDER BY l.n DESC LIMIT 5",
		"names":         "SELECT name FROM lattice_names p WHERE p.name > 'a' ORDER BY p.name LIMIT 5",
		"unused assets": "SELECT n FROM assets WHERE refs = 0 LIMIT 5",
	} {
		if p := plan(t, s, q); strings.Contains(p, "TEMP B-TREE FOR ORDER") || strings.HasPrefix(p, "SCAN") && !strings.Contains(p, "USING") && name != "lattices" && name != "names" {
			t.Errorf("%s: %s", name, p)
		}
	}
	for name, c := range map[string]struct{ q, how string }{
		"running":          {runningNumbers, "INDEX dispatches_status (status=?)"},
		"oldest in flight": {oldestInFlight, "INDEX dispatches_in_flight (trigger=?)"},
		"unused lattice":   {stillUnused, "INDEX sqlite_autoindex_lattices_1 (id=?)"},
		"next of a sweep":  {nextHeld, "INDEX dispatches_held (held=?)"},
		"named sweep":      {namedSweep, "INDEX dispatch_labels_value (key=? AND value=?)"},
		"firings back":     {firingsBack, "INDEX firings_decision (trigger=? AND decision=?)"},
		"last fired":       {lastFired, "INDEX firings_decision (trigger=? AND decision=?)"},
		"last ends":        {lastEnds, "INDEX dispatches_trigger (trigger=?)"},
		"ending":           {countEnding, "INDEX dispatches_status (status=?)"},
		"in flight":        {countInFlight, "INDEX dispatches_in_flight"},
		"undecided":        {countUndecided, "INDEX events_undecided"},
		"known keys":       {knownKeys(512), "(trigger=? AND key=?)"},
		"about":            {selectEvents + eventsAbout, "INDEX events_path (path=?)"},
		"end chains":       {endChains, "INDEX events_undecided (trigger=?)"},
		"amend":            {amendEvent, "(trigger=? AND key=?)"},
		"firings since":    {"SELECT n FROM firings WHERE n > ? ORDER BY n LIMIT ?", "(rowid>?)"},
	} {
		p := plan(t, s, strings.ReplaceAll(c.q, "?", "5"))
		if !strings.Contains(p, c.how) || strings.Contains(p, "SCAN firings") || strings.Contains(p, "TEMP B-TREE") && name != "running" && name != "ending" {
			t.Errorf("%s: %s", name, p)
		}
	}
	for _, st := range []triggers.EventState{triggers.EventFired, triggers.EventSkipped, triggers.EventRejected, triggers.EventDead} {
		q, args := pastNumbers(st)
		if p := plan(t, s, q, slices.Concat([]any{"x", 1}, args, []any{5})...); strings.Contains(p, "TEMP B-TREE") || !strings.Contains(p, "n>?") {
			t.Errorf("past %s: %s", st, p)
		}
	}
	for _, n := range []int{1, 8, 32} {
		q := strings.ReplaceAll(eventsByID+values(1, n), "?", "'x'")
		if p := plan(t, s, q); !strings.Contains(p, "(id=?)") {
			t.Errorf("%d events by id: %s", n, p)
		}
	}
	for _, h := range []history{
		{table: "events", limit: 50},
		{table: "firings", limit: 50},
		{table: "events", path: "/data/x", limit: 50},
		{table: "events", and: " AND kind = ?", args: []any{"ready"}, limit: 50},
	} {
		for _, st := range append(h.all(), triggers.EventFired, triggers.EventHeld, triggers.EventDead) {
			q, args := h.walk(st, 1, 5)
			if p := plan(t, s, q, args...); strings.Contains(p, "TEMP B-TREE") || (h.path != "") != strings.Contains(p, "(path=? AND n<?)") ||
				(h.table == "firings") != strings.Contains(p, "(trigger=? AND decision=? AND n<?)") {
				t.Errorf("%+v %q: %s", h, st, p)
			}
		}
	}
}

// BenchmarkListPage reads pages of 50 out of 1,000,000 dispatches; the floor is one
// row by its number.
func BenchmarkListPage(b *testing.B) {
	s := openNew(b)
	l := withLattice(b, s, "x", 1)
	const million = 1_000_000
	for from := 0; from < million; from += 50_000 {
		err := s.change(b.Context(), func(t *tx) error {
			_, err := t.exec(`INSERT INTO dispatches (id, seq, status, total, lattice, lattice_name, owner, created_by, run_as, created_at, inputs, note)
				SELECT printf('0190aaaa-bbbb-7000-8000-%012d', value), ?2 + value, CASE WHEN value % 5000 = 0 THEN 'failed' ELSE 'completed' END, 1, 1,
				CASE WHEN value % 3 = 0 THEN 'y' ELSE 'x' END, 'anna', 'anna', 'anna', 1700000000000000 + value * 1000, '{"image":"/data/' || value || '.tif"}',
				CASE WHEN value % 1000 = 7 THEN 'note ' || value END
				FROM (WITH RECURSIVE c(value) AS (SELECT ?1 UNION ALL SELECT value + 1 FROM c LIMIT 50000) SELECT value FROM c)`, from, 1000)
			t.w.seq += 1_001_000
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for name, f := range map[string]DispatchFilter{
		"newest": {}, "failed": {Status: []graph.Status{graph.Failed, graph.Running}}, "lattice": {Lattice: l.Name}, "until": {Until: time.UnixMicro(1700000500000000)},
		"deep": {After: pageCursor{K: "dispatches", A: 1700000100000000, N: 100_000}.String()}, "note": {Query: "note 900"}, "nothing": {Labels: map[string]string{"a": "b"}},
		"input": {Inputs: map[string]string{"image": "/data/999000.tif"}}, "query for nothing": {Query: "zzz"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.Dispatches(context.Background(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			var n int64
			if err := s.read.Raw("SELECT seq FROM dispatches WHERE number = 500000").Scan(&n).Error; err != nil {
				b.Fatal(err)
			}
		}
	})
}
