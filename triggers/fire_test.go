package triggers_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestFire(t *testing.T) {
	t.Run("each_event_is_one_dispatch_with_its_own_inputs", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"path": "${{ event.path }}", "n": "${{ event.n + 1 }}"}, "labels": {"at": "${{ event.path }}", "n": "${{ event.n }}"}`)
			w.happen(2)
			w.expect(tr, "1:fired:event 2:fired:event")
			if got, want := w.inputs(tr), `{"n":2,"path":"/in/1"} {"n":3,"path":"/in/2"}`; got != want {
				t.Errorf("inputs %s, want %s", got, want)
			}
			d := w.ledger.Dispatches(tr.ID)[0]
			f := w.ledger.Firings(tr.ID)[0]
			if d.TriggerID != tr.ID || d.FiringID != f.ID || d.ParentID != "" || d.RootID != d.ID || d.Status != graph.Pending ||
				d.Owner != "ada" || d.RunAs != "runner" || d.Labels["at"] != "/in/1" || d.Labels["n"] != "1" || d.Total != 1 {
				t.Errorf("dispatch %+v", d)
			}
			if len(f.EventIDs) != 1 || f.Decision != triggers.EventFired || string(f.Inputs) != string(d.Inputs) {
				t.Errorf("firing %+v", f)
			}
		})
	})

	// Pain point 31: what was decided is stored before anything is run.
	t.Run("events_and_their_decisions_are_one_transaction", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			before := w.ledger.Records()
			w.ledger.Fail(func(op string) error {
				if op == "Fire" {
					return errors.New("a second transaction")
				}
				return nil
			})
			w.happen(3)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
			if n := w.ledger.Records() - before; n != 1 {
				t.Errorf("%d transactions", n)
			}
		})
	})

	// Pain points 22 and 28: an event that comes again, for whatever reason, runs nothing.
	t.Run("a_repeated_key_changes_nothing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			w.happen(1)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1), event(2)}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:fired:event 2:fired:event")
			if n := len(w.ledger.Dispatches(tr.ID)); n != 2 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("a_known_event_in_a_skipped_group_does_not_hold_back_the_others", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"when": "${{ event.n > 100 }}"`)
			w.happen(1)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1), event(2), event(3)}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:skipped:condition 2:skipped:condition 3:skipped:condition")
		})
	})

	t.Run("a_dispatch_as_target_gives_its_inputs_and_becomes_the_parent", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			lattice := parse(t, echo)
			parent := w.ledger.AddDispatch(graph.Dispatch{
				ID: "0190aaaa-0000-7000-8000-000000000000", LatticeID: lattice.ID, Status: graph.New, Inputs: json.RawMessage(`{"n":7,"path":"old"}`),
			})
			tr, warnings, err := w.manager.Add(t.Context(), []byte(`{"name":"t","kind":"feed","dispatch_id":"1","inputs":{"path":"${{ event.path }}"}}`), triggers.Principal{Name: "ada"})
			if err != nil || len(warnings) != 1 || warnings[0].Code != "no_path_format" {
				t.Fatal(err, warnings)
			}
			if tr.DispatchID != parent.ID {
				t.Errorf("target %s", tr.DispatchID)
			}
			w.happen(1)
			d := w.ledger.Dispatches(tr.ID)[0]
			if d.ParentID != parent.ID || d.RootID != d.ID || string(d.Inputs) != `{"n":7,"path":"/in/1"}` {
				t.Errorf("dispatch %+v %s", d, d.Inputs)
			}
			if p, _ := w.ledger.Dispatch(t.Context(), parent.ID); p.Status != graph.New {
				t.Errorf("the template became %s", p.Status)
			}
		})
	})

	t.Run("a_pinned_name_stays_and_latest_follows", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			pinned := w.add(``)
			w.happen(1)
			newer := parse(t, strings.Replace(echo, "[echo,", "[printf, x,", 1))
			w.ledger.AddLattice(newer)
			w.happen(1)
			ds := w.ledger.Dispatches(pinned.ID)
			if ds[0].LatticeID != ds[1].LatticeID {
				t.Error("the pin moved")
			}
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"topic":"other"}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			if ds = w.ledger.Dispatches(pinned.ID); ds[2].LatticeID != ds[0].LatticeID {
				t.Error("an edit of something else moved the pin")
			}
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"lattice":"echo@latest"}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			w.ledger.AddLattice(parse(t, strings.Replace(echo, "[echo,", "[printf, y,", 1)))
			w.happen(1)
			ds = w.ledger.Dispatches(pinned.ID)
			if ds[3].LatticeID != newer.ID || ds[4].LatticeID == newer.ID {
				t.Error("latest does not follow the name")
			}
		})
	})

	t.Run("what_does_not_fit_is_rejected_with_the_message", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n > 0 ? event.path : event.n }}"}`)
			w.happen(1)
			f := w.ledger.Firings(tr.ID)[0]
			if f.Decision != triggers.EventRejected || !strings.HasPrefix(f.Reason, "inputs: ") || !strings.Contains(f.Reason, "inputs.n") {
				t.Errorf("firing %+v", f)
			}
			w.expect(tr, "1:rejected:inputs")
		})
	})

	t.Run("an_event_without_a_field_is_rejected_not_run_without_it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"path": "${{ event.path }}"}`)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{{Key: "k1", Kind: "made", Payload: json.RawMessage(`{"n":1}`)}}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:rejected:inputs")
		})
	})

	// Pain points 28, 33 and 43: a key made of the event, unique in one batch and over
	// restarts; and each condition has its own reason.
	t.Run("when_and_dedupe_key_skip_with_their_reasons", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"when": "${{ event.n != 2 }}", "dedupe_key": "${{ event.n % 3 }}"`)
			w.happen(5)
			w.expect(tr, "1:fired:event 2:skipped:condition 3:fired:event 4:skipped:duplicate 5:fired:event")
			w.restart()
			w.happen(1)
			w.expect(tr, "1:fired:event 2:skipped:condition 3:fired:event 4:skipped:duplicate 5:fired:event 6:skipped:duplicate")
		})
	})

	// Pain point 27: a run by hand asks no dedupe_key.
	t.Run("by_hand_bypasses_everything_that_holds_back", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"when": "${{ false && event.n > 0 }}", "max_in_flight": 1, "inputs": {"path": "${{ event.path }}"}`)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				f, err := w.manager.Fire(t.Context(), "t", json.RawMessage(`{"path":"mine"}`), triggers.Principal{Name: "bob"})
				if err != nil || f.Decision != triggers.EventFired || f.Reason != "manual" || len(f.DispatchIDs) != 1 {
					t.Fatalf("%+v %v", f, err)
				}
			}
			if got := w.inputs(tr); got != `{"n":0,"path":"mine"} {"n":0,"path":"mine"}` {
				t.Error(got)
			}
			f, err := w.manager.Fire(t.Context(), "t", nil, triggers.Principal{})
			if err != nil || f.Decision != triggers.EventRejected {
				t.Errorf("without the field: %+v %v", f, err)
			}
			if _, err := w.manager.Fire(t.Context(), "t", json.RawMessage(`[1]`), triggers.Principal{}); err == nil {
				t.Error("a list is not a payload")
			}
		})
	})
}
