package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// TestEventsFireOnce records and fires at random, with repeated keys, late and
// contradicting decisions and restarts: each event ends in at most one firing, a fired
// firing has its dispatches, and the numbers agree with the rows.
func TestEventsFireOnce(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "s"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		m := model{t: t, keys: map[string]string{}}
		m.tr, m.l = withTrigger(t, s, fmt.Sprintf("t%d", n))
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			switch rapid.IntRange(0, 5).Draw(r, "step") {
			case 0, 1, 2:
				m.record(r, s)
			case 3, 4:
				m.fire(r, s)
			case 5:
				if rapid.IntRange(0, 4).Draw(r, "restart") > 0 {
					continue
				}
				if err := s.Close(); err != nil {
					r.Fatal(err)
				}
				if s, err = Open(t.Context(), s.dir, s.o); err != nil {
					r.Fatal(err)
				}
			}
		}
		m.check(r, s)
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// model is what the test knows: the id each key was stored with.
type model struct {
	t    *testing.T
	tr   triggers.Trigger
	l    *graph.Lattice
	keys map[string]string
	ids  []string
}

func (m *model) record(r *rapid.T, s *Store) {
	var b triggers.Batch
	var ids []string
	for _, k := range rapid.SliceOfN(rapid.IntRange(0, 20), 0, 8).Draw(r, "keys") {
		e := event(m.t, fmt.Sprint(k))
		b.Events, ids = append(b.Events, e), append(ids, e.ID)
	}
	es, err := s.Record(m.t.Context(), m.tr.ID, 1, b, m.decisions(r, ids))
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range es {
		if m.keys[e.Key] != "" {
			r.Fatalf("key %s was new twice", e.Key)
		}
		m.keys[e.Key] = e.ID
		m.ids = append(m.ids, e.ID)
	}
}

func (m *model) fire(r *rapid.T, s *Store) {
	if _, err := s.Fire(m.t.Context(), m.tr.ID, 1, m.decisions(r, m.ids)); err != nil {
		r.Fatal(err)
	}
}

// decisions are about some of the events, overlapping as they come.
func (m *model) decisions(r *rapid.T, ids []string) []triggers.Decision {
	if len(ids) == 0 {
		return nil
	}
	states := []triggers.EventState{triggers.EventFired, triggers.EventFired, triggers.EventSkipped, triggers.EventRejected, triggers.EventDead, triggers.EventHeld, triggers.EventPending}
	ds := make([]triggers.Decision, rapid.IntRange(0, 4).Draw(r, "decisions"))
	for i := range ds {
		d := triggers.Decision{State: rapid.SampledFrom(states).Draw(r, "state"), Reason: "r"}
		d.EventIDs = rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, min(3, len(ids)), rapid.ID).Draw(r, "events")
		if d.State == triggers.EventFired {
			for range rapid.IntRange(1, 2).Draw(r, "dispatches") {
				d.Dispatches = append(d.Dispatches, dispatchOf(m.l))
			}
		}
		ds[i] = d
	}
	return ds
}

func (m *model) check(r *rapid.T, s *Store) {
	ctx := m.t.Context()
	es, _, err := s.Events(ctx, m.tr.ID, nil, 500, "")
	if err != nil || len(es) != len(m.keys) {
		r.Fatalf("%d events, want %d (%v)", len(es), len(m.keys), err)
	}
	fs, _, err := s.Firings(ctx, m.tr.ID, nil, 500, "")
	if err != nil {
		r.Fatal(err)
	}
	in := map[string]string{}
	dispatches := map[string]bool{}
	for _, f := range fs {
		for _, id := range f.EventIDs {
			if in[id] != "" {
				r.Fatalf("event %s is in two firings", id)
			}
			in[id] = f.ID
		}
		if (f.Decision == triggers.EventFired) != (len(f.DispatchIDs) > 0) {
			r.Fatalf("firing %+v", f)
		}
		for _, id := range f.DispatchIDs {
			d, err := s.Dispatch(ctx, id)
			if err != nil || d.FiringID != f.ID || dispatches[id] {
				r.Fatalf("dispatch %+v of firing %s: %v", d, f.ID, err)
			}
			dispatches[id] = true
		}
	}
	undecided := int64(0)
	for _, e := range es {
		if e.FiringID != in[e.ID] || m.keys[e.Key] != e.ID {
			r.Fatalf("event %+v is in firing %q", e, in[e.ID])
		}
		if e.FiringID == "" {
			undecided++
		}
	}
	want := triggers.Counts{Pending: undecided, InFlight: len(dispatches)}
	if c, err := s.Counts(ctx, m.tr.ID); err != nil || c != want {
		r.Fatalf("counts %+v, want %+v (%v)", c, want, err)
	}
	w, err := s.Window(ctx, m.tr.ID, 0, 500)
	if err != nil || int64(len(w)) != undecided || !slices.IsSortedFunc(w, func(a, b triggers.Event) int { return int(a.Seq - b.Seq) }) {
		r.Fatalf("window of %d, want %d (%v)", len(w), undecided, err)
	}
}
