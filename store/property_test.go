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

// TestEventsFireOnce records, amends, fires and replaces at random, with repeated keys,
// late and contradicting decisions and restarts: each event ends in at most one firing,
// an undecided one has its latest payload, a fired firing has its dispatches, and the
// numbers agree with the rows.
func TestEventsFireOnce(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "s"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		m := model{t: t, keys: map[string]string{}, payloads: map[string]string{}}
		m.tr, m.l = withTrigger(t, s, fmt.Sprintf("t%d", n))
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			switch rapid.IntRange(0, 7).Draw(r, "step") {
			case 0, 1, 2:
				m.record(r, s)
			case 3, 4:
				m.fire(r, s)
			case 5:
				m.advance(r, s)
			case 6:
				m.cancel(r, s)
			case 7:
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

	payloads   map[string]string // by id
	dispatches []*modelDispatch  // in order
}

// modelDispatch is what the test knows of a dispatch.
type modelDispatch struct {
	id                   string
	running, asked, over bool
}

func (m *model) record(r *rapid.T, s *Store) {
	var b triggers.Batch
	var ids []string
	for _, k := range rapid.SliceOfN(rapid.IntRange(0, 20), 0, 8).Draw(r, "keys") {
		e := event(m.t, fmt.Sprint(k))
		e.Payload = fmt.Appendf(nil, `{"path":"/data/%d","at":%q}`, k, e.ID)
		e.Amends = rapid.Bool().Draw(r, "amends")
		b.Events, ids = append(b.Events, e), append(ids, e.ID)
	}
	undecided := map[string]bool{}
	for _, e := range must(s.Window(m.t.Context(), m.tr.ID, 0, 500))(m.t) {
		undecided[e.Key] = true
	}
	rec, err := s.Record(m.t.Context(), m.tr.ID, 1, b, m.decisions(r, ids))
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range b.Events {
		if e.Amends && undecided[e.Key] {
			m.payloads[m.keys[e.Key]] = string(e.Payload)
		}
	}
	for _, e := range rec.Events {
		if m.keys[e.Key] != "" {
			r.Fatalf("key %s was new twice", e.Key)
		}
		m.keys[e.Key] = e.ID
		m.ids = append(m.ids, e.ID)
		m.payloads[e.ID] = string(e.Payload)
	}
	m.learn(r, s)
}

// learn notes the dispatches that are new.
func (m *model) learn(r *rapid.T, s *Store) {
	ds, _, err := s.Dispatches(m.t.Context(), DispatchFilter{Trigger: m.tr.ID, Limit: 500, Ascending: true})
	if err != nil {
		r.Fatal(err)
	}
	for _, d := range ds[len(m.dispatches):] {
		m.dispatches = append(m.dispatches, &modelDispatch{id: d.ID})
	}
}

// advance begins a dispatch, or ends it.
func (m *model) advance(r *rapid.T, s *Store) {
	for _, d := range m.dispatches {
		if d.over || rapid.Bool().Draw(r, "another") {
			continue
		}
		st := graph.Step{Dispatch: d.id, Begin: s.o.Now()}
		if d.running {
			st = graph.Step{Dispatch: d.id, Finish: &graph.DispatchEnd{Status: graph.Completed}}
		}
		if err := s.Advance(m.t.Context(), st); err != nil {
			r.Fatal(err)
		}
		d.running, d.over = true, d.running
		return
	}
}

// cancel replaces, or is a person who cancels.
func (m *model) cancel(r *rapid.T, s *Store) {
	n := rapid.IntRange(0, 3).Draw(r, "cancel")
	var want []string
	for _, d := range m.dispatches {
		if !d.over && !d.asked && len(want) < max(n, 1) {
			want = append(want, d.id)
			d.asked, d.over = true, !d.running
		}
	}
	if n > 0 {
		out, err := s.Fire(m.t.Context(), m.tr.ID, 1, []triggers.Decision{{Cancel: n}})
		if err != nil || !slices.Equal(out.Cancelled, want) {
			r.Fatalf("%v were asked to end, want %v (%v)", out.Cancelled, want, err)
		}
		return
	}
	for _, id := range want {
		for _, first := range []bool{true, false} {
			if _, changed, err := s.RequestCancel(m.t.Context(), id); err != nil || changed != first {
				r.Fatalf("asked first %v: %v, %v", first, changed, err)
			}
		}
	}
}

func (m *model) fire(r *rapid.T, s *Store) {
	if _, err := s.Fire(m.t.Context(), m.tr.ID, 1, m.decisions(r, m.ids)); err != nil {
		r.Fatal(err)
	}
	m.learn(r, s)
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
		if e.FiringID != in[e.ID] || m.keys[e.Key] != e.ID || string(e.Payload) != m.payloads[e.ID] {
			r.Fatalf("event %+v is in firing %q", e, in[e.ID])
		}
		if e.FiringID == "" {
			undecided++
		}
	}
	want := triggers.Counts{Pending: undecided}
	for _, d := range m.dispatches {
		if !d.over {
			want.InFlight++
		}
		if d.asked && !d.over {
			want.Ending++
		}
	}
	if len(m.dispatches) != len(dispatches) {
		r.Fatalf("%d dispatches of %d", len(m.dispatches), len(dispatches))
	}
	if c, err := s.Counts(ctx, m.tr.ID); err != nil || c != want {
		r.Fatalf("counts %+v, want %+v (%v)", c, want, err)
	}
	w, err := s.Window(ctx, m.tr.ID, 0, 500)
	if err != nil || int64(len(w)) != undecided || !slices.IsSortedFunc(w, func(a, b triggers.Event) int { return int(a.Seq - b.Seq) }) {
		r.Fatalf("window of %d, want %d (%v)", len(w), undecided, err)
	}
}
