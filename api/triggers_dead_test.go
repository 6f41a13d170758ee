package api

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/latticed/latticed/triggers"
)

func TestDead_events_are_shown_explained_and_come_again(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "settle": "1h"`)
	write(t, dir, "x.tif")
	path := filepath.Join(dir, "x.tif")
	id, firing := uuid.NewString(), uuid.NewString()
	payload, err := json.Marshal(map[string]string{"path": path, "name": "x.tif"})
	if err != nil {
		t.Fatal(err)
	}
	// As the gate leaves an event that it can't decide.
	tr, err := h.store.Trigger(t.Context(), "in")
	if err == nil {
		_, err = h.store.Record(t.Context(), tr.ID, 1, triggers.Batch{
			Events: []triggers.Event{{ID: id, Key: path + "#ready@1", Kind: "ready", Payload: payload}},
		}, []triggers.Decision{{FiringID: firing, EventIDs: []string{id}, State: triggers.EventDead, Reason: "refused: 3 times: it is too big"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	e := h.do("GET /v1/triggers/in/events?state=dead").want(200)
	if h.count("/v1/triggers/in/events?state=dead") != 1 || e.text("items.0.id") != id || e.text("items.0.reason") != "refused: 3 times: it is too big" {
		t.Errorf("%s", e.body)
	}
	if f := h.do("GET /v1/triggers/in/firings?decision=dead").want(200); f.text("items.0.id") != firing || f.text("items.0.event_ids.0") != id {
		t.Errorf("%s", f.body)
	}
	h.explain(path).says("could not be decided: refused: 3 times: it is too big; fix that and retry the event")
	if n := h.do("POST /v1/triggers/in/retry", `{"states": ["dead"]}`).want(200).field("retried"); n != 1.0 {
		t.Errorf("%v", n)
	}
	soon(t, "fired", func() bool { return h.count("/v1/triggers/in/events?state=fired") == 1 })
	if h.count("/v1/triggers/in/events?state=dead") != 1 {
		t.Error("the dead event is gone")
	}
}

func TestMissed_ticks_that_are_named_are_not_retried(t *testing.T) {
	h := newHouse(t)
	h.watching("in", "")
	id := uuid.NewString()
	tr, err := h.store.Trigger(t.Context(), "in")
	if err == nil {
		// As a clock leaves the count of what it does not catch up with.
		_, err = h.store.Record(t.Context(), tr.ID, 1, triggers.Batch{
			Events: []triggers.Event{{ID: id, Key: "missed", Kind: "missed", Payload: json.RawMessage(`{"missed": 4}`)}},
		}, []triggers.Decision{{FiringID: uuid.NewString(), EventIDs: []string{id}, State: triggers.EventSkipped, Reason: triggers.ReasonCatchUp}})
	}
	if err != nil {
		t.Fatal(err)
	}
	a := h.do("POST /v1/triggers/in/retry", `{"events": ["`+id+`"]}`).want(409)
	if a.text("code") != "event_missed" || !strings.Contains(a.text("detail"), "latticed trigger backfill in --since") {
		t.Errorf("%s", a.body)
	}
}

func TestAdvice_is_given_from_what_was_seen(t *testing.T) {
	h := newHouse(t)
	dir := h.watching("in", `, "settle": "50ms", "mode": "poll"`) // each look is stored
	write(t, dir, "slow.dat")
	soon(t, "ready", func() bool { return h.count("/v1/triggers/in/events?state=fired") == 1 })
	if err := os.WriteFile(filepath.Join(dir, "slow.dat"), []byte("more"), 0o600); err != nil {
		t.Fatal(err)
	}
	soon(t, "advice", func() bool {
		a := h.do("GET /v1/triggers/in?effective=1").want(200)
		advice, _ := a.field("advice").([]any)
		return len(advice) == 1 && a.text("advice.0.code") != "" && strings.Contains(a.text("advice.0.message"), "changed again after being ready: set settle to")
	})
	if h.do("GET /v1/triggers/in").field("advice") != nil {
		t.Error("advice without effective")
	}
}
