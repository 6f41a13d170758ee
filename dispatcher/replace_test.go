package dispatcher_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/timer"
)

// fed is a trigger whose firings the dispatcher runs.
type fed struct {
	*house
	tr triggers.Trigger
	l  string
	n  int
}

func (h *house) feed() *fed {
	h.t.Helper()
	l, err := graph.Parse([]byte(two))
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.st.InsertLattice(h.t.Context(), l, true, "ada"); err != nil {
		h.t.Fatal(err)
	}
	tr, err := h.st.CreateTrigger(h.t.Context(), triggers.Trigger{Name: "feed", Kind: "directory", LatticeID: l.ID, Owner: "ada", CreatedBy: "ada", RunAs: "ada"})
	if err != nil {
		h.t.Fatal(err)
	}
	return &fed{house: h, tr: tr, l: l.ID}
}

// fire stores an event with its firing and returns the id of the dispatch.
func (f *fed) fire() string {
	f.t.Helper()
	f.n++
	e := triggers.Event{ID: fmt.Sprintf("e%d", f.n), Key: fmt.Sprint(f.n), Kind: "ready"}
	g := graph.Dispatch{ID: fmt.Sprintf("0190a3a1-0000-7000-8000-%012d", f.n), LatticeID: f.l, Owner: "ada", CreatedBy: "ada", RunAs: "ada"}
	_, err := f.st.Record(f.t.Context(), f.tr.ID, 1, triggers.Batch{Events: []triggers.Event{e}},
		[]triggers.Decision{{EventIDs: []string{e.ID}, State: triggers.EventFired, Reason: "event", Dispatches: []graph.Dispatch{g}}})
	if err != nil {
		f.t.Fatal(err)
	}
	f.d.Wake()
	return g.ID
}

// replace asks the oldest dispatch to end, as a gate does.
func (f *fed) replace() []string {
	f.t.Helper()
	out, err := f.st.Fire(f.t.Context(), f.tr.ID, 1, []triggers.Decision{{Cancel: 1}})
	if err != nil || len(out.Cancelled) != 1 {
		f.t.Fatalf("%v: %v", out, err)
	}
	return out.Cancelled
}

func TestReplace_ends_what_runs_and_tells_it_once(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = stubborn(time.Minute)
		h := newHouse(t, p)
		var ended atomic.Int32
		h.opts.Ended = func(graph.Dispatch) { ended.Add(1) }
		f := h.start().feed()
		id := f.fire()
		h.untilRunning(id)
		ids := f.replace()
		at := time.Now()
		h.d.Cancelled(ids)
		h.d.Cancelled(nil)
		if g := h.end(id); ids[0] != id || g.Status != graph.Cancelled || time.Since(at) != time.Minute || p.starts(id, "b") != 0 {
			t.Errorf("%v: %s ended %s after %v", ids, id, g.Status, time.Since(at))
		}
		synctest.Wait()
		if n := ended.Load(); n != 1 {
			t.Errorf("%d ends were told", n)
		}
	})
}

func TestReplace_tells_the_end_of_what_had_not_begun(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Hour)
		h := newHouse(t, p)
		h.opts.Window = 1
		var ended atomic.Int32
		h.opts.Ended = func(g graph.Dispatch) {
			if g.TriggerID != "" && g.Status == graph.Cancelled {
				ended.Add(1)
			}
		}
		f := h.start().feed()
		other := h.submit(two, nil)
		h.untilRunning(other.ID)
		id := f.fire() // there is no room for it
		ids := f.replace()
		if g := h.end(id); g.Status != graph.Cancelled {
			t.Errorf("it is %s", g.Status)
		}
		h.d.Cancelled(append(ids, "a deleted one"))
		synctest.Wait()
		if n := ended.Load(); n != 1 {
			t.Errorf("%d ends were told", n)
		}
		if g := h.end(other.ID); g.Status != graph.Completed {
			t.Errorf("the other one ended %s", g.Status)
		}
		if p.starts(id, "a") != 0 {
			t.Error("it has begun all the same")
		}
	})
}

// A daemon that dies between the commit of the request and telling the dispatcher of
// it leaves the request in the store.
func TestReplace_survives_a_crash_before_the_dispatcher_is_told(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = stubborn(time.Second)
		f := newHouse(t, p).start().feed()
		id := f.fire()
		f.untilRunning(id)
		f.replace()
		time.Sleep(time.Hour)
		if g := f.until(id, func(graph.Dispatch) bool { return true }); g.Status != graph.Running || g.CancelRequestedAt.IsZero() {
			t.Errorf("nobody was told, and it is %s", g.Status)
		}
		f.stop()
		f.start()
		if g := f.end(id); g.Status != graph.Cancelled || p.starts(id, "a") != 1 || p.starts(id, "b") != 0 {
			t.Errorf("it ended %s after %d and %d starts", g.Status, p.starts(id, "a"), p.starts(id, "b"))
		}
		c, err := f.st.Counts(t.Context(), f.tr.ID)
		if err != nil || c != (triggers.Counts{}) {
			t.Errorf("counts %+v: %v", c, err)
		}
	})
}

// The whole line: each tick replaces the dispatch of the one before, which takes three
// seconds to end; never are two of them there at once.
func TestReplace_lets_the_newest_event_win(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = stubborn(3 * time.Second)
		h := newHouse(t, p)
		var m *triggers.Manager
		h.opts.Ended = func(g graph.Dispatch) { m.DispatchEnded(g.TriggerID) }
		h.start()
		m = triggers.NewManager(h.d.Ledger(h.st), triggers.Kinds{"time": timer.Kind}, triggers.Options{
			RunAs: "ada", Cancelled: h.d.Cancelled,
		})
		f := h.feed()
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := m.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		defer wg.Wait()
		defer stop()
		tr, _, err := m.Add(t.Context(), []byte(`{"name":"t","kind":"time","lattice":"c","every":"10s","overlap":"replace","max_in_flight":1}`), triggers.Principal{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(65 * time.Second)
		synctest.Wait()
		ds, _, err := f.st.Dispatches(t.Context(), store.DispatchFilter{Trigger: tr.ID, Ascending: true})
		if err != nil || len(ds) < 5 || p.most != 1 {
			t.Fatalf("%d dispatches, %d at a time: %v", len(ds), p.most, err)
		}
		for i, d := range ds[:len(ds)-1] {
			next := ds[i+1]
			if d.Status != graph.Cancelled || d.EndedAt.Sub(d.CancelRequestedAt) != 3*time.Second || next.CreatedAt.Before(d.EndedAt) || next.CreatedAt.Sub(d.EndedAt) > time.Second {
				t.Errorf("%s, asked %s, ended %s; the next came %s", d.Status, d.CancelRequestedAt, d.EndedAt, next.CreatedAt)
			}
		}
	})
}
