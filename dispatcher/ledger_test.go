package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// fires is a trigger on doc that fires through the ledger of the dispatcher.
type fires struct {
	*house
	tr triggers.Trigger
	l  *graph.Lattice
	n  int
}

func (h *house) trigger(doc string) *fires {
	h.t.Helper()
	l, err := graph.Parse([]byte(doc))
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.st.InsertLattice(h.t.Context(), l, true, "ada"); err != nil {
		h.t.Fatal(err)
	}
	tr, err := h.st.CreateTrigger(h.t.Context(), triggers.Trigger{
		Name: "t", Kind: "directory", Spec: []byte(`{}`), LatticeID: l.ID, Owner: "ada", CreatedBy: "ada", RunAs: "ada",
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return &fires{house: h, tr: tr, l: l}
}

// draft decides that a new event becomes n dispatches.
func (f *fires) draft(n int) (triggers.Event, triggers.Decision) {
	f.n++
	key := time.Now().Format("150405.000000000") + string(rune('a'+f.n))
	e := triggers.Event{ID: key, Key: key, Kind: "ready", At: time.Now()}
	d := triggers.Decision{EventIDs: []string{e.ID}, State: triggers.EventFired, Reason: triggers.ReasonEvent}
	for i := range n {
		d.Dispatches = append(d.Dispatches, graph.Dispatch{
			ID: key + string(rune('0'+i)), LatticeID: f.l.ID, Inputs: []byte(`{}`), Owner: "ada", CreatedBy: "ada", RunAs: "ada",
		})
	}
	return e, d
}

// fire records events, each of which becomes one dispatch.
func (f *fires) fire(events int) ([]graph.Dispatch, error) {
	var b triggers.Batch
	var ds []triggers.Decision
	for range events {
		e, d := f.draft(1)
		b.Events, ds = append(b.Events, e), append(ds, d)
	}
	rec, err := f.d.Ledger(f.st).Record(f.t.Context(), f.tr.ID, 1, b, ds)
	return rec.Dispatches, err
}

// begun counts dispatches that began as they were stored.
func (f *fires) begun(ds []graph.Dispatch) (n int) {
	f.t.Helper()
	for _, d := range ds {
		g, err := f.st.Dispatch(f.t.Context(), d.ID)
		if err != nil {
			f.t.Fatal(err)
		}
		if g.StartedAt.Equal(g.CreatedAt) {
			n++
		}
	}
	return n
}

func TestLedger_what_fires_begins_with_its_firing(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Minute)
		h := newHouse(t, p)
		h.opts.Parallel = 2
		h.start()
		synctest.Wait()
		reads := h.counting()
		f := h.trigger(one)
		ds, err := f.fire(3)
		if err != nil || len(ds) != 3 {
			t.Fatalf("it made %+v: %v", ds, err)
		}
		time.Sleep(time.Second)
		if n := h.d.Stats(); n.Live != 3 || n.Running["local"] != 2 {
			t.Errorf("stats are %+v", n)
		}
		for _, g := range ds {
			if g = h.end(g.ID); g.Status != graph.Completed || p.starts(g.ID, "a") != 1 || g.TriggerID != f.tr.ID {
				t.Errorf("dispatch %d ended %s after %d starts", g.Number, g.Status, p.starts(g.ID, "a"))
			}
		}
		synctest.Wait()
		if n := f.begun(ds); n != 2 || reads.Load() != 0 {
			t.Errorf("%d of 3 began with their firing, for 2 slots; pending ones were read %d times", n, reads.Load())
		}
	})
}

// watchful is a ledger that counts what is to begin with its firing.
type watchful struct {
	triggers.Ledger
	firsts *int
}

func (l watchful) Record(ctx context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) (triggers.Recorded, error) {
	for _, d := range ds {
		for _, g := range d.Dispatches {
			*l.firsts += len(g.First)
		}
	}
	return l.Ledger.Record(ctx, id, revision, b, ds)
}

func TestLedger_nothing_begins_before_what_goes_the_long_way(t *testing.T) {
	simulate(t, func(t *testing.T) {
		h := newHouse(t, newPlayer()).start()
		synctest.Wait()
		f := h.trigger("lattice: o\ninputs: {n: {type: integer}}\nelectrons:\n  a: {run: [x]}\n  b: {run: [x], if: \"${{ inputs.n > 0 }}\"}\n")
		for _, c := range []struct{ first, second, firsts int }{{0, 1, 0}, {1, 0, 2}, {1, 1, 4}} {
			e, d := f.draft(2)
			d.Dispatches[0].Inputs, d.Dispatches[1].Inputs = fmt.Appendf(nil, `{"n":%d}`, c.first), fmt.Appendf(nil, `{"n":%d}`, c.second)
			firsts := 0
			rec, err := h.d.Ledger(watchful{h.st, &firsts}).Record(t.Context(), f.tr.ID, 1, triggers.Batch{Events: []triggers.Event{e}}, []triggers.Decision{d})
			if err != nil || firsts != c.firsts {
				t.Errorf("with inputs %d and %d %d attempts start with their firing, want %d: %v", c.first, c.second, firsts, c.firsts, err)
			}
			for _, g := range rec.Dispatches {
				h.end(g.ID)
			}
			synctest.Wait()
		}
	})
}

func TestLedger_an_output_sees_what_is_known_once_it_is_stored(t *testing.T) {
	simulate(t, func(t *testing.T) {
		h := newHouse(t, newPlayer()).start()
		synctest.Wait()
		f := h.trigger(one + "output: {n: \"${{ dispatch.number }}\", r: \"${{ dispatch.root_id }}\", t: \"${{ dispatch.trigger }}\"}\n")
		ds, err := f.fire(1)
		if err != nil {
			t.Fatal(err)
		}
		g := h.end(ds[0].ID)
		if want := `{"n":1,"r":"` + g.ID + `","t":"t"}`; string(g.Result) != want || f.begun(ds) != 1 {
			t.Errorf("the result is %s, want %s", g.Result, want)
		}
	})
}

func TestLedger_what_waits_is_not_overtaken(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Minute)
		h := newHouse(t, p)
		h.opts.Parallel, h.opts.Window = 1, 2
		h.start()
		synctest.Wait()
		f := h.trigger(one)
		var all []graph.Dispatch
		for range 3 {
			ds, err := f.fire(2)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, ds...)
		}
		h.end(all[5].ID)
		if got := p.startOrder(); len(got) != 6 || got[0] != "1/a" || got[2] != "3/a" || got[5] != "6/a" || p.most != 1 {
			t.Errorf("order %v, %d at a time", got, p.most)
		}
	})
}

func TestLedger_a_decision_that_is_dropped_or_refused_starts_nothing(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).start()
		synctest.Wait()
		f := h.trigger(one)
		e, d := f.draft(1)
		l := h.d.Ledger(h.st)
		rec, err := l.Record(t.Context(), f.tr.ID, 1, triggers.Batch{Events: []triggers.Event{e}}, []triggers.Decision{d})
		if err != nil || len(rec.Dispatches) != 1 || d.Dispatches[0].First != nil {
			t.Fatalf("%+v: %v", rec, err)
		}
		again := d
		again.FiringID, again.Dispatches = "", []graph.Dispatch{d.Dispatches[0]}
		again.Dispatches[0].ID += "again"
		if rec, err := l.Record(t.Context(), f.tr.ID, 1, triggers.Batch{Events: []triggers.Event{e}}, []triggers.Decision{again}); err != nil || len(rec.Dispatches) != 0 {
			t.Errorf("a known event made %+v: %v", rec, err)
		}
		if fired, err := l.Fire(t.Context(), f.tr.ID, 1, []triggers.Decision{again}); err != nil || len(fired.Dispatches) != 0 {
			t.Errorf("an event that is final made %+v: %v", fired, err)
		}
		e2, d2 := f.draft(1)
		if _, err := l.Record(t.Context(), f.tr.ID, 2, triggers.Batch{Events: []triggers.Event{e2}}, []triggers.Decision{d2}); !errors.Is(err, triggers.ErrRevised) {
			t.Errorf("of another revision: %v", err)
		}
		h.end(rec.Dispatches[0].ID)
		synctest.Wait()
		if s := h.d.Stats(); s.Live != 0 || s.Running["local"] != 0 || len(p.startOrder()) != 1 {
			t.Errorf("starts %v, %+v", p.startOrder(), s)
		}
	})
}

func TestLedger_sweeps_and_holds_go_through_the_table(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).start()
		synctest.Wait()
		f := h.trigger(one)
		e, d := f.draft(3)
		graph.Together(d.Dispatches, "s", 1)
		rec, err := h.d.Ledger(h.st).Record(t.Context(), f.tr.ID, 1, triggers.Batch{Events: []triggers.Event{e}}, []triggers.Decision{d})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range rec.Dispatches {
			if g = h.end(g.ID); g.Status != graph.Completed {
				t.Errorf("dispatch %d ended %s", g.Number, g.Status)
			}
		}
		if p.most != 1 {
			t.Errorf("%d ran at a time", p.most)
		}
		h.d.Hold("disk", "full")
		ds, err := f.fire(1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if p.starts(ds[0].ID, "a") != 0 {
			t.Error("it started in a hold")
		}
		h.d.Release("disk")
		h.end(ds[0].ID)
	})
}

func TestLedger_crash_after_the_firing_is_made_up_for(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).start()
		synctest.Wait()
		f := h.trigger(one)
		e, d := f.draft(1)
		func() {
			defer func() { _ = recover() }()
			_, _ = h.d.Ledger(dying{h.st}).Record(t.Context(), f.tr.ID, 1, triggers.Batch{Events: []triggers.Event{e}}, []triggers.Decision{d})
		}()
		id := d.Dispatches[0].ID
		if n := p.starts(id, "a"); n != 0 {
			t.Fatalf("it was started %d times before the crash", n)
		}
		h.reborn()
		if g := h.end(id); g.Status != graph.Completed || p.starts(id, "a") != 1 || len(h.electron(id, "a").Attempts) != 1 {
			t.Errorf("it ended %s after %d starts", g.Status, p.starts(id, "a"))
		}
	})
}

// dying is a ledger whose process dies after each commit.
type dying struct{ triggers.Ledger }

func (l dying) Record(ctx context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) (triggers.Recorded, error) {
	_, err := l.Ledger.Record(ctx, id, revision, b, ds)
	panic(err)
}
