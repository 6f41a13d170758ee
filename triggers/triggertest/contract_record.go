package triggertest

import (
	"bytes"
	"time"

	"github.com/latticed/latticed/triggers"
)

func testKnownKey(x *ledgerTest) {
	x.stored(x.a, "1")
	x.stored(x.b, "1", "2") // keys are a trigger's own
	again, other, third := x.event("1"), x.event("2"), x.event("3")
	fresh := x.record(x.a, []triggers.Event{again, other, third}, decided(triggers.EventSkipped, "both", again, other), x.fired(third))
	x.wantKeys("new", fresh, "2", "3")
	if fresh[0].State != triggers.EventPending || fresh[0].Seq == 0 || fresh[0].Seq >= fresh[1].Seq || fresh[1].State != triggers.EventFired {
		x.Errorf("%+v", fresh)
	}
	x.wantCounts(x.a, triggers.Counts{Pending: 2, InFlight: 1})
}

func testAmends(x *ledgerTest) {
	es := x.stored(x.a, "1", "2")
	x.fire(x.a, decided(triggers.EventHeld, triggers.ReasonIncomplete, es[0]))
	again := x.event("1")
	again.Amends, again.Payload = true, []byte(`{"path":"/data/whole","complete":true}`)
	if fresh := x.record(x.a, []triggers.Event{again}, decided(triggers.EventSkipped, "it was dropped", again)); len(fresh) != 0 {
		x.Errorf("new: %+v", fresh)
	}
	got := x.event1(x.a, es[0].ID)
	if got.State != triggers.EventHeld || got.Reason != triggers.ReasonBacklog || !bytes.Equal(got.Payload, again.Payload) || got.Seq != es[0].Seq {
		x.Errorf("amended: %+v", got)
	}
	if by, err := x.l.About(x.Context(), x.a.ID, "/data/whole", 9); err != nil || len(by) != 1 {
		x.Errorf("by its new path: %+v %v", by, err)
	}
	if got := x.event1(x.a, es[1].ID); !bytes.Equal(got.Payload, es[1].Payload) {
		x.Errorf("the other one: %+v", got)
	}
	x.wantCounts(x.a, triggers.Counts{Pending: 2})
}

func testAmendsDecided(x *ledgerTest) {
	es := x.stored(x.a, "1")
	x.fire(x.a, decided(triggers.EventSkipped, triggers.ReasonCondition, es[0]))
	again := x.event("1")
	again.Amends = true
	if fresh := x.record(x.a, []triggers.Event{again}); len(fresh) != 0 {
		x.Errorf("new: %+v", fresh)
	}
	if got := x.event1(x.a, es[0].ID); got.State != triggers.EventSkipped || !bytes.Equal(got.Payload, es[0].Payload) {
		x.Errorf("%+v", got)
	}
	x.wantCounts(x.a, triggers.Counts{})
}

func testAmendsFresh(x *ledgerTest) {
	first, second := x.event("1"), x.event("1")
	first.Amends, second.Amends = true, true // nothing to amend is no reason to drop it
	fresh := x.record(x.a, []triggers.Event{first, second})
	if len(fresh) != 1 || fresh[0].ID != first.ID || !bytes.Equal(fresh[0].Payload, second.Payload) {
		x.Errorf("%+v", fresh)
	}
	if got := x.event1(x.a, first.ID); !bytes.Equal(got.Payload, second.Payload) || got.Amends || got.State != triggers.EventPending {
		x.Errorf("%+v", got)
	}
}

func testCarries(x *ledgerTest) {
	e := x.event("1")
	e.Generation = 3
	x.record(x.a, []triggers.Event{e})
	window, err := x.l.Window(x.Context(), x.a.ID, 0, 9)
	if err != nil || len(window) != 1 {
		x.Fatal(window, err)
	}
	for _, got := range []triggers.Event{window[0], x.event1(x.a, e.ID)} {
		if got.Generation != 3 || got.Key != "1" || got.Kind != e.Kind || !bytes.Equal(got.Payload, e.Payload) || got.TriggerID != x.a.ID {
			x.Errorf("%+v", got)
		}
	}
}

func testNext(x *ledgerTest) {
	next := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	for _, tt := range []struct {
		batch triggers.Batch
		want  time.Time
	}{
		{triggers.Batch{Next: next}, next},
		{triggers.Batch{Cursor: []byte(`{}`)}, next},
		{triggers.Batch{Events: []triggers.Event{x.event("1")}}, next},
		{triggers.Batch{NoNext: true}, time.Time{}},
		{triggers.Batch{Next: next, Events: []triggers.Event{x.event("2")}}, next},
		{triggers.Batch{NoNext: true, Events: []triggers.Event{x.event("3")}}, time.Time{}},
	} {
		if _, err := x.l.Record(x.Context(), x.a.ID, x.a.Revision, tt.batch, nil); err != nil {
			x.Fatal(err)
		}
		if got, err := x.l.Trigger(x.Context(), x.a.ID); err != nil || !got.NextAt.Equal(tt.want) {
			x.Errorf("after %+v it is %v, %v", tt.batch, got.NextAt, err)
		}
	}
}

func testEntity(x *ledgerTest) {
	b := triggers.Batch{Entities: []triggers.Change{{Key: []byte("a\xff"), Version: "1", Data: []byte(`{"n":1}`)}, {Key: []byte("gone"), Version: "1"}}}
	if _, err := x.l.Record(x.Context(), x.a.ID, 1, b, nil); err != nil {
		x.Fatal(err)
	}
	b = triggers.Batch{Entities: []triggers.Change{{Key: []byte("gone"), Deleted: true}}}
	if _, err := x.l.Record(x.Context(), x.a.ID, 1, b, nil); err != nil {
		x.Fatal(err)
	}
	c, found, err := x.l.Entity(x.Context(), x.a.ID, []byte("a\xff"))
	if err != nil || !found || c.Version != "1" || string(c.Data) != `{"n":1}` || string(c.Key) != "a\xff" {
		x.Errorf("%+v %v %v", c, found, err)
	}
	for _, key := range []string{"gone", "never"} {
		if _, found, err := x.l.Entity(x.Context(), x.a.ID, []byte(key)); found || err != nil {
			x.Errorf("%s: %v %v", key, found, err)
		}
	}
	if _, found, err := x.l.Entity(x.Context(), x.b.ID, []byte("a\xff")); found || err != nil {
		x.Errorf("of another trigger: %v %v", found, err)
	}
}
