package store

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestHistory(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "a")
	states := []triggers.EventState{triggers.EventFired, triggers.EventSkipped, triggers.EventRejected, triggers.EventDead, triggers.EventHeld, triggers.EventPending}
	var es []triggers.Event
	var ds []triggers.Decision
	for i := range 30 {
		e := event(t, fmt.Sprintf("%02d", i))
		d := triggers.Decision{EventIDs: []string{e.ID}, State: states[i%6], Reason: "r"}
		if d.State == triggers.EventFired {
			d.Dispatches = []graph.Dispatch{dispatchOf(l)}
		}
		es, ds = append(es, e), append(ds, d)
	}
	record(t, s, tr, batch(es...), ds...)
	for mask := range 64 {
		var some []triggers.EventState
		var want []string
		for i, st := range states {
			if mask>>i&1 == 1 {
				some = append(some, st)
			}
		}
		for i := 29; i >= 0; i-- {
			if mask == 0 || slices.Contains(some, states[i%6]) {
				want = append(want, es[i].ID)
			}
		}
		var got []string
		for after := ""; ; {
			page, next, err := s.Events(t.Context(), tr.ID, some, 4, after)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, eventIDs(page)...)
			if after = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: %d events, want %d", some, len(got), len(want))
		}
		decisions := 0
		for after := ""; ; {
			page, next, err := s.Firings(t.Context(), "a", some, 4, after)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range page {
				decisions++
				if len(f.EventIDs) != 1 || (f.Decision == triggers.EventFired) != (len(f.DispatchIDs) == 1) {
					t.Errorf("%+v", f)
				}
			}
			if after = next; next == "" {
				break
			}
		}
		finals := 0
		for i, st := range states {
			if (mask == 0 || mask>>i&1 == 1) && st != triggers.EventHeld && st != triggers.EventPending {
				finals += 5
			}
		}
		if decisions != finals {
			t.Errorf("%v: %d firings, want %d", some, decisions, finals)
		}
	}
	if _, _, err := s.Events(t.Context(), "nobody", nil, 1, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("no trigger: %v", err)
	}
	if _, _, err := s.Events(t.Context(), "a", nil, 1, "zz"); !errors.Is(err, ErrCursor) {
		t.Errorf("bad cursor: %v", err)
	}
}

func TestEventsPage(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "a")
	other, _ := withTrigger(t, s, "b")
	raw := "/data/\xff\n x"
	odd := triggers.Event{ID: id(t), Key: "odd", Kind: "ready", Payload: []byte(`{"path_b64":"` + base64.StdEncoding.EncodeToString([]byte(raw)) + `"}`)}
	none := triggers.Event{ID: id(t), Key: "none", Kind: "tick"}
	strange := triggers.Event{ID: id(t), Key: "strange", Kind: "row", Payload: []byte(`{"path":7}`)}
	again := event(t, "x2")
	again.Payload = event(t, "x").Payload
	record(t, s, tr, batch(event(t, "x"), odd, none, strange, again), fired(again, dispatchOf(l))...)
	record(t, s, other, batch(event(t, "x")))
	for _, test := range []struct {
		f    EventFilter
		want []string
	}{
		{EventFilter{Trigger: "a", Path: "/data/x"}, []string{"x2", "x"}},
		{EventFilter{Trigger: "a", Path: "/data/x", States: []triggers.EventState{triggers.EventFired, triggers.EventHeld}}, []string{"x2"}},
		{EventFilter{Trigger: "a", Path: "/data/x", States: []triggers.EventState{triggers.EventPending}}, []string{"x"}},
		{EventFilter{Trigger: other.ID, Path: "/data/x"}, []string{"x"}},
		{EventFilter{Trigger: "a", Path: raw, Kind: "ready"}, []string{"odd"}},
		{EventFilter{Trigger: "a", Path: raw, Kind: "tick"}, nil},
		{EventFilter{Trigger: "a", Path: "/data/y"}, nil},
		{EventFilter{Trigger: "a", Kind: "ready"}, []string{"x2", "odd", "x"}},
		{EventFilter{Trigger: "a", Kind: "ready", States: []triggers.EventState{triggers.EventPending}}, []string{"odd", "x"}},
	} {
		var got []string
		test.f.Limit = 1
		for {
			es, next, err := s.EventsPage(t.Context(), test.f)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				got = append(got, e.Key)
			}
			if test.f.After = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: %q, want %q", test.f, got, test.want)
		}
	}
	if _, _, err := s.EventsPage(t.Context(), EventFilter{Trigger: "nobody", Path: "/"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no trigger: %v", err)
	}
}
