package triggertest

import (
	"errors"
	"slices"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func testFinal(x *ledgerTest) {
	es := x.stored(x.a, "1", "2")
	x.fire(x.a, decided(triggers.EventDead, "it panics", es[0]))
	if out := x.fire(x.a, decided(triggers.EventSkipped, "late", es...), x.fired(es[0])); len(out.Dispatches) != 0 {
		x.Errorf("%+v", out)
	}
	if got := x.event1(x.a, es[0].ID); got.State != triggers.EventDead || got.Reason != "it panics" || got.FiringID == "" {
		x.Errorf("%+v", got)
	}
	if got := x.event1(x.a, es[1].ID); got.State != triggers.EventPending {
		x.Errorf("%+v", got)
	}
	x.wantCounts(x.a, triggers.Counts{Pending: 1})
}

func testCancel(x *ledgerTest) {
	ids := x.dispatches(x.a, 4)
	others := x.dispatches(x.b, 1)
	for _, id := range append(slices.Clone(ids), others...) {
		x.contract.Begin(x.T, x.l, id)
	}
	x.contract.End(x.T, x.l, ids[0])
	if out := x.fire(x.a, triggers.Decision{Cancel: 1}); !slices.Equal(out.Cancelled, ids[1:2]) || len(out.Dispatches) != 0 {
		x.Errorf("the oldest: %+v", out)
	}
	x.wantCounts(x.a, triggers.Counts{InFlight: 3, Ending: 1})
	if out := x.fire(x.a, triggers.Decision{Cancel: 9}); !slices.Equal(out.Cancelled, ids[2:]) {
		x.Errorf("the rest: %+v", out)
	}
	x.wantCounts(x.a, triggers.Counts{InFlight: 3, Ending: 3})
	if out := x.fire(x.a, triggers.Decision{Cancel: 1}); len(out.Cancelled) != 0 {
		x.Errorf("all were asked: %+v", out)
	}
	if d := x.dispatch(ids[1]); d.Status != graph.Running || d.CancelRequestedAt.IsZero() {
		x.Errorf("%+v", d)
	}
	x.contract.End(x.T, x.l, ids[1])
	x.wantCounts(x.a, triggers.Counts{InFlight: 2, Ending: 2})
	x.wantCounts(x.b, triggers.Counts{InFlight: 1})
}

func testCancelPending(x *ledgerTest) {
	ids := x.dispatches(x.a, 2)
	x.contract.Begin(x.T, x.l, ids[1])
	if out := x.fire(x.a, triggers.Decision{Cancel: 2}); !slices.Equal(out.Cancelled, ids) {
		x.Errorf("%+v", out)
	}
	if d := x.dispatch(ids[0]); d.Status != graph.Cancelled || d.EndedAt.IsZero() || d.CancelRequestedAt.IsZero() || !d.StartedAt.IsZero() {
		x.Errorf("%+v", d)
	}
	x.wantCounts(x.a, triggers.Counts{InFlight: 1, Ending: 1})
}

func testCancelBeside(x *ledgerTest) {
	ids := x.dispatches(x.a, 1)
	x.contract.Begin(x.T, x.l, ids[0])
	es := x.stored(x.a, "1", "2", "3")
	out := x.fire(x.a, decided(triggers.EventSkipped, triggers.ReasonSuperseded, es[0]), triggers.Decision{Cancel: 1}, decided(triggers.EventHeld, triggers.ReasonReplacing, es[1]), x.fired(es[2]))
	if !slices.Equal(out.Cancelled, ids) || len(out.Dispatches) != 1 {
		x.Errorf("%+v", out)
	}
	if e := x.event1(x.a, es[1].ID); e.State != triggers.EventHeld || e.Reason != triggers.ReasonReplacing {
		x.Errorf("%+v", e)
	}
	x.wantCounts(x.a, triggers.Counts{Pending: 1, InFlight: 2, Ending: 1})
}

func testCancelAlone(x *ledgerTest) {
	x.dispatches(x.a, 1)
	e := x.stored(x.a, "1")[0]
	d := decided(triggers.EventSkipped, "and that", e)
	d.Cancel = 1
	if _, err := x.l.Fire(x.Context(), x.a.ID, 1, []triggers.Decision{d}); err == nil {
		x.Error("it names an event, too")
	}
	if _, err := x.l.Record(x.Context(), x.a.ID, 1, triggers.Batch{}, []triggers.Decision{{Cancel: 1}}); err == nil {
		x.Error("it comes with a batch, which has no way to tell what was cancelled")
	}
	x.wantCounts(x.a, triggers.Counts{Pending: 1, InFlight: 1})
	if _, err := x.l.Fire(x.Context(), x.a.ID, 7, []triggers.Decision{{Cancel: 1}}); !errors.Is(err, triggers.ErrRevised) {
		x.Errorf("another revision: %v", err)
	}
}

func testRuns(x *ledgerTest) {
	if r, err := x.l.Runs(x.Context(), x.a.ID); err != nil || r != (triggers.Runs{}) {
		x.Errorf("at first %+v: %v", r, err)
	}
	ids := x.dispatches(x.a, 3)
	x.stored(x.a, "waits")
	x.dispatches(x.b, 1)
	for _, id := range ids {
		x.contract.Begin(x.T, x.l, id)
	}
	x.contract.End(x.T, x.l, ids[2])
	x.contract.End(x.T, x.l, ids[0]) // the last end is not that of the last dispatch
	r, err := x.l.Runs(x.Context(), x.a.ID)
	if err != nil || r.Undecided != 1 || r.InFlight != 1 || !r.LastEnd.Equal(x.dispatch(ids[0]).EndedAt) {
		x.Errorf("%+v, the last ended %s: %v", r, x.dispatch(ids[0]).EndedAt, err)
	}
	if _, err := x.l.Runs(x.Context(), "nobody"); !errors.Is(err, triggers.ErrNotFound) {
		x.Errorf("no trigger: %v", err)
	}
}

func testRecent(x *ledgerTest) {
	x.dispatches(x.a, 3)
	x.dispatches(x.b, 1)
	es := x.stored(x.a, "skipped", "by hand")
	manual := x.fired(es[1])
	manual.Reason = triggers.ReasonManual
	x.fire(x.a, decided(triggers.EventSkipped, triggers.ReasonCondition, es[0]), manual)
	all, err := x.l.Recent(x.Context(), x.a.ID, x.a.CreatedAt, 100)
	if err != nil || len(all) != 3 || all[0].After(all[1]) || all[1].After(all[2]) {
		x.Fatalf("%v: %v", all, err)
	}
	if got, err := x.l.Recent(x.Context(), x.a.ID, x.a.CreatedAt, 2); err != nil || !slices.Equal(got, all[1:]) {
		x.Errorf("the newest two: %v of %v: %v", got, all, err)
	}
	if got, err := x.l.Recent(x.Context(), x.a.ID, all[1], 100); err != nil || len(got) < 2 || !got[0].Equal(all[1]) {
		x.Errorf("since the second: %v of %v: %v", got, all, err)
	}
	if got, err := x.l.Recent(x.Context(), x.a.ID, all[2].Add(1e6), 100); err != nil || len(got) != 0 {
		x.Errorf("since then: %v: %v", got, err)
	}
}
