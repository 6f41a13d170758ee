package triggertest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latticed/latticed/triggers"
)

func testEvent(x *ledgerTest) {
	e := x.stored(x.a, "1")[0]
	if got := x.event1(x.a, e.ID); got.ID != e.ID || got.Key != "1" || got.Seq != e.Seq {
		x.Errorf("%+v", got)
	}
	for trigger, id := range map[string]string{x.b.ID: e.ID, x.a.ID: "nothing"} {
		if _, err := x.l.Event(x.Context(), trigger, id); !errors.Is(err, triggers.ErrNotFound) {
			x.Errorf("%s of %s: %v", id, trigger, err)
		}
	}
}

func testKnown(x *ledgerTest) {
	var all, some []string
	for i := range 700 { // more than a source may ask for at once
		all = append(all, fmt.Sprint(i))
		if i%7 == 0 {
			some = append(some, fmt.Sprint(i))
		}
	}
	x.stored(x.a, some...)
	x.stored(x.b, "1")
	got, err := x.l.Known(x.Context(), x.a.ID, all)
	slices.Sort(got)
	slices.Sort(some)
	if err != nil || !slices.Equal(got, some) {
		x.Errorf("%d of %d: %v", len(got), len(some), err)
	}
	if got, err := x.l.Known(x.Context(), x.a.ID, nil); err != nil || len(got) != 0 {
		x.Errorf("of none: %v %v", got, err)
	}
}

func testPast(x *ledgerTest) {
	es := x.stored(x.a, "0", "1", "2", "3", "4", "5", "6")
	x.stored(x.b, "0")
	x.fire(x.a, decided(triggers.EventDead, "", es[5]), x.fired(es[4]), decided(triggers.EventSkipped, "", es[3]),
		decided(triggers.EventRejected, "no", es[1], es[2]), decided(triggers.EventHeld, "paused", es[6]))
	past := func(after int64, limit int, states ...triggers.EventState) []triggers.Event {
		x.Helper()
		got, err := x.l.Past(x.Context(), x.a.ID, states, after, limit)
		if err != nil {
			x.Fatal(err)
		}
		return got
	}
	x.wantKeys("rejected or dead", past(0, 9, triggers.EventDead, triggers.EventRejected), "1", "2", "5")
	x.wantKeys("the first two", past(0, 2, triggers.EventDead, triggers.EventRejected), "1", "2")
	x.wantKeys("after them", past(es[2].Seq, 2, triggers.EventDead, triggers.EventRejected), "5")
	x.wantKeys("fired", past(0, 9, triggers.EventFired), "4")
	x.wantKeys("all", past(0, 9, triggers.EventFired, triggers.EventSkipped, triggers.EventRejected, triggers.EventDead), "1", "2", "3", "4", "5")
	x.wantKeys("of no state", past(0, 9))
	if e := past(0, 1, triggers.EventRejected)[0]; e.ID != es[1].ID || e.Reason != "no" || string(e.Payload) != string(es[1].Payload) || e.FiringID == "" {
		x.Errorf("%+v", e)
	}
}

func testAbout(x *ledgerTest) {
	path := "/data/scan \xff.tif" // names are bytes
	about := func(key string) triggers.Event {
		e := x.event(key)
		e.Payload = []byte(`{"path":"/data/scan \ufffd.tif","path_b64":"L2RhdGEvc2NhbiD/LnRpZg=="}`)
		return e
	}
	x.record(x.a, []triggers.Event{about("v1"), x.event("other"), about("v2")})
	x.record(x.a, []triggers.Event{about("v3")})
	x.record(x.b, []triggers.Event{about("v1")})
	for limit, want := range map[int][]string{9: {"v3", "v2", "v1"}, 2: {"v3", "v2"}} {
		got, err := x.l.About(x.Context(), x.a.ID, path, limit)
		if err != nil {
			x.Fatal(err)
		}
		x.wantKeys(fmt.Sprintf("%d", limit), got, want...)
	}
	if got, err := x.l.About(x.Context(), x.a.ID, "/data", 9); err != nil || len(got) != 0 {
		x.Errorf("%v %v", got, err)
	}
}

func testResumed(x *ledgerTest) {
	set := func(s triggers.State) time.Time {
		x.Helper()
		if err := x.l.SetTriggerState(x.Context(), x.a.ID, s, "", time.Time{}); err != nil {
			x.Fatal(err)
		}
		t, err := x.l.Trigger(x.Context(), x.a.ID)
		if err != nil {
			x.Fatal(err)
		}
		return t.UpdatedAt
	}
	before := set(triggers.Active)
	if at := set(triggers.Paused); !at.Equal(before) {
		x.Error("a pause is an update")
	}
	time.Sleep(2 * time.Millisecond) // the store counts microseconds
	if at := set(triggers.Active); !at.After(before) {
		x.Errorf("updated at %s, as before the pause", at)
	}
}

func testRevised(x *ledgerTest) {
	stale := x.a // as somebody has read it who looks at a slow folder before the edit
	next := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	if err := x.l.SetTriggerState(x.Context(), x.a.ID, triggers.Paused, "failing before", next); err != nil {
		x.Fatal(err)
	}
	chained := []triggers.Event{x.event("1"), x.event("2"), x.event("3")}
	for i := range chained {
		chained[i].Generation = 3
	}
	chained = x.record(x.a, chained)
	x.fire(x.a, decided(triggers.EventHeld, triggers.ReasonLoop, chained[0]), decided(triggers.EventHeld, triggers.ReasonOverlap, chained[1]))
	before, err := x.l.Trigger(x.Context(), x.a.ID)
	if err != nil {
		x.Fatal(err)
	}
	stale.State, stale.Reason, stale.NextAt = triggers.Active, "", time.Time{}
	revised, err := x.l.ReviseTrigger(x.Context(), stale)
	if err != nil {
		x.Fatal(err)
	}
	after, err := x.l.Trigger(x.Context(), x.a.ID)
	if err != nil {
		x.Fatal(err)
	}
	for _, got := range []triggers.Trigger{revised, after} {
		if got.State != triggers.Paused || got.Reason != "failing before" || !got.NextAt.Equal(next) || !got.LastEventAt.Equal(before.LastEventAt) || got.Revision != before.Revision+1 {
			x.Errorf("%+v, before the edit %+v", got, before)
		}
	}
	for i, want := range []int{0, 3, 3} {
		if got := x.event1(x.a, chained[i].ID); got.Generation != want {
			x.Errorf("%s (%s) is of generation %d", got.State, got.Reason, got.Generation)
		}
	}
}

func testLastFired(x *ledgerTest) {
	es := x.stored(x.a, "0", "1", "2", "3")
	tick := x.event("tick")
	tick.Payload = []byte(`{"time":"now"}`)
	es = append(es, x.record(x.a, []triggers.Event{tick})...)
	x.dispatches(x.b, 1)
	both := x.fired(es[3])
	both.EventIDs = append(both.EventIDs, es[4].ID)
	first := x.fired(es[2])
	first.Dispatches = append(first.Dispatches, x.fired(es[2]).Dispatches...)
	out := x.fire(x.a, first, x.fired(es[0]), decided(triggers.EventSkipped, "", es[1]), both)
	for limit, want := range map[int][]int{9: {2, 0, 3}, 2: {0, 3}} {
		got, err := x.l.LastFired(x.Context(), x.a.ID, limit)
		if err != nil || len(got) != len(want) {
			x.Fatalf("%d: %+v %v", limit, got, err)
		}
		for i, n := range want {
			at := 4 - len(want) + i // the first has two
			from := at
			if n == 2 {
				from = 0
			}
			if e := got[i]; e.ID != es[n].ID || string(e.Payload) != string(es[n].Payload) || e.Dispatch != out.Dispatches[from].ID || e.Last != out.Dispatches[at].ID {
				x.Errorf("%d of %d: %+v", i, limit, e)
			}
		}
	}
}
