package chain

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestFollows(t *testing.T) {
	t.Run("what_matches_each_once", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.end("scan", graph.Completed, nil) // 1, before there is a trigger
			first, _ := w.add("first", "report", `"of": {"lattice": "scan"}`)
			all, _ := w.add("all", "report", `"of": {"lattice": "scan", "status": ["completed", "failed", "cancelled"]}`)
			label, _ := w.add("label", "report", `"of": {"label": {"site": "roof", "day": "1"}, "status": "failed"}`)
			own, _ := w.add("of-first", "fit", `"of": {"trigger": "first"}`)
			w.end("scan", graph.Completed, nil) // 2
			w.end("scan", graph.Failed, func(d *graph.Dispatch) { d.Labels = map[string]string{"site": "roof", "day": "1", "more": "x"} })
			w.end("scan", graph.Cancelled, func(d *graph.Dispatch) { d.Labels = map[string]string{"site": "roof"} })
			w.end("fit", graph.Failed, func(d *graph.Dispatch) { d.Labels = map[string]string{"site": "roof", "day": "1"} })
			w.work(first)
			w.tell("")                                  // and nothing more
			number := func(t triggers.Trigger) string { // of what the trigger dispatched first
				return string(rune('0' + w.ledger.Dispatches(t.ID)[0].Number))
			}
			w.expect(first, "2:fired:event")
			three := number(all)
			w.expect(own, number(first)+":fired:event")
			if got := len(w.ledger.Events(all.ID)); got != 3 {
				t.Errorf("%d of 3 ends (%s)", got, three)
			}
			if got := len(w.ledger.Events(label.ID)); got != 2 {
				t.Errorf("%d of 2 labels", got)
			}
		})
	})

	t.Run("by_id_too", func(t *testing.T) {
		inBubble(t, func(w *world) {
			l, err := w.ledger.Lattice(w.Context(), "scan")
			if err != nil {
				t.Fatal(err)
			}
			first, _ := w.add("first", "report", `"of": {"lattice": "`+l.ID+`"}`)
			second, _ := w.add("second", "fit", `"of": {"trigger": "`+first.ID+`"}`)
			w.end("scan", graph.Completed, nil)
			w.work(first)
			w.expect(first, "1:fired:event")
			w.expect(second, "2:fired:event")
		})
	})

	t.Run("hands_over_what_the_dispatch_was", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "report", `"of": {"lattice": "scan", "status": ["failed"]}, "when": "${{ event.error.code == 'exit_code' && event.result == nil && event.number == 1 }}"`)
			d := w.end("scan", graph.Failed, func(d *graph.Dispatch) {
				d.Inputs, d.Error, d.Labels = []byte(`{"of":"x"}`), &graph.Error{Code: "exit_code", Message: "1"}, map[string]string{"a": "b"}
			})
			e := w.ledger.Events(tr.ID)[0]
			if e.State != triggers.EventFired || e.Kind != "ended" || e.Key != d.ID {
				t.Fatalf("%+v", e)
			}
			var got map[string]any
			if err := json.Unmarshal(e.Payload, &got); err != nil {
				t.Fatal(err)
			}
			if at, _ := got["time"].(string); !strings.HasSuffix(at, "Z") || len(at) != len(instant) {
				t.Errorf("time %s", at)
			}
			delete(got, "time")
			want := map[string]any{
				"id": d.ID, "number": 1.0, "lattice": "scan", "lattice_id": d.LatticeID, "status": "failed", "inputs": map[string]any{"of": "x"},
				"result": nil, "error": map[string]any{"code": "exit_code", "message": "1"}, "labels": map[string]any{"a": "b"},
				"trigger": nil, "parent_id": nil, "root_id": d.ID,
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%v", got)
			}
		})
	})

	t.Run("what_ended_while_nothing_ran", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "report", `"of": {"lattice": "scan"}`)
			w.end("scan", graph.Completed, nil)
			w.stop()
			for range 3 {
				d := w.ledger.AddDispatch(graph.Dispatch{ID: "meanwhile-" + string(rune('a'+w.n)), LatticeName: "scan", Status: graph.Running})
				w.ledger.SetDispatch(d.ID, graph.Completed)
				w.n++
			}
			w.start()
			w.expect(tr, "1:fired:event 3:fired:event 4:fired:event 5:fired:event")
		})
	})

	t.Run("nothing_that_was_there_before_an_edit_of_what_it_follows", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "report", `"of": {"lattice": "scan"}`)
			w.end("fit", graph.Completed, nil)
			if _, _, err := w.manager.Patch(w.Context(), "t", []byte(`{"of": {"lattice": "fit"}}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.end("scan", graph.Completed, nil)
			w.end("fit", graph.Completed, nil)
			w.expect(tr, "3:fired:event")
			if _, _, err := w.manager.Patch(w.Context(), "t", []byte(`{"labels": {"a": "b"}}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.end("fit", graph.Completed, nil)
			if n := len(w.ledger.Events(tr.ID)); n != 2 {
				t.Errorf("%d events", n)
			}
		})
	})

	t.Run("and_holds_in_a_pause", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "report", `"of": {"lattice": "scan"}`)
			if _, err := w.manager.Pause(w.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.end("scan", graph.Completed, nil)
			w.expect(tr, "1:held:paused")
			if _, err := w.manager.Resume(w.Context(), "t", triggers.BacklogFire); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.expect(tr, "1:fired:event")
		})
	})

	t.Run("a_thousand_at_once", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "report", `"of": {"lattice": "scan"}, "overlap": "allow"`)
			var numbers []int64
			for n := range 1000 {
				d := w.ledger.AddDispatch(graph.Dispatch{ID: "many-" + string(rune(0x4e00+n)), LatticeName: "scan", Status: graph.Running})
				w.ledger.SetDispatch(d.ID, graph.Completed)
				w.manager.DispatchEnded("")
				numbers = append(numbers, d.Number)
			}
			synctest.Wait()
			es := w.ledger.Events(tr.ID)
			if len(es) != 1000 || len(w.ledger.Dispatches(tr.ID)) != 1000 {
				t.Fatalf("%d events, %d dispatches", len(es), len(w.ledger.Dispatches(tr.ID)))
			}
			for i, e := range es {
				var p payload
				if err := json.Unmarshal(e.Payload, &p); err != nil || p.Number < numbers[i] {
					t.Fatalf("%d: %d, %v", i, p.Number, err)
				}
			}
		})
	})

	t.Run("goes_on_after_the_ledger_was_away", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "report", `"of": {"lattice": "scan"}`)
			for _, op := range []string{"Ended", "Record"} {
				w.ledger.Fail(func(o string) error {
					if o == op {
						return triggertest.ErrFull
					}
					return nil
				})
				w.end("scan", graph.Completed, nil)
				w.ledger.Fail(nil)
				wait(recheck)
			}
			if n := len(w.ledger.Events(tr.ID)); n != 2 {
				t.Errorf("%d events", n)
			}
		})
	})

	t.Run("writes_nothing_for_what_it_does_not_follow", func(t *testing.T) {
		inBubble(t, func(w *world) {
			w.add("t", "report", `"of": {"lattice": "scan"}`)
			before := w.ledger.Records()
			for range 100 {
				w.end("fit", graph.Completed, nil)
			}
			if n := w.ledger.Records() - before; n != 0 {
				t.Errorf("%d transactions", n)
			}
		})
	})
}

func TestLoops(t *testing.T) {
	t.Run("by_itself", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, ws := w.add("t", "scan", `"of": {"lattice": "scan"}`)
			if len(ws) != 1 || ws[0].Code != triggers.WarnLoop {
				t.Errorf("%+v", ws)
			}
			w.end("scan", graph.Completed, nil)
			for range 10 {
				w.work(tr)
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:loop")
			if now := w.manager.Live(tr); now.State != triggers.Degraded || !strings.Contains(now.Reason, "it seems to feed itself, so 1 event is held") {
				t.Errorf("%s: %s", now.State, now.Reason)
			}
		})
	})

	t.Run("over_another", func(t *testing.T) {
		inBubble(t, func(w *world) {
			a, _ := w.add("a", "fit", `"of": {"lattice": "scan"}`)
			b, ws := w.add("b", "scan", `"of": {"trigger": "a"}`)
			if len(ws) != 0 {
				t.Errorf("%+v", ws)
			}
			w.end("scan", graph.Completed, nil)
			for range 10 {
				w.work(a)
				w.work(b)
			}
			w.expect(a, "1:fired:event 3:fired:event 5:fired:event 7:held:loop")
			w.expect(b, "2:fired:event 4:fired:event 6:fired:event")
		})
	})

	t.Run("is_let_go_on_by_an_edit_for_another_three", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "scan", `"of": {"lattice": "scan"}`)
			w.end("scan", graph.Completed, nil)
			for range 10 {
				w.work(tr)
			}
			if _, _, err := w.manager.Patch(w.Context(), "t", []byte(`{"labels": {"a": "b"}}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for range 10 {
				w.work(tr)
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:fired:event 6:fired:event 7:held:loop")
		})
	})

	t.Run("is_found_after_a_restart", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "scan", `"of": {"lattice": "scan"}`)
			w.end("scan", graph.Completed, nil)
			for range 10 {
				w.stop()
				w.ledger.EndDispatches(tr.ID, 10)
				w.start()
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:loop")
		})
	})

	t.Run("may_be_meant", func(t *testing.T) {
		inBubble(t, func(w *world) {
			tr, _ := w.add("t", "scan", `"of": {"lattice": "scan"}, "loop": "allow"`)
			w.end("scan", graph.Completed, nil)
			for range 10 {
				w.work(tr)
			}
			if n := len(w.ledger.Dispatches(tr.ID)); n != 11 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("a_long_chain_is_none", func(t *testing.T) {
		inBubble(t, func(w *world) {
			a, _ := w.add("a", "fit", `"of": {"label": {"step": "0"}}, "labels": {"step": "1"}`)
			b, _ := w.add("b", "fit", `"of": {"label": {"step": "1"}}, "labels": {"step": "2"}`)
			c, _ := w.add("c", "fit", `"of": {"label": {"step": "2"}}, "labels": {"step": "3"}`)
			d, _ := w.add("d", "fit", `"of": {"label": {"step": "3"}}, "labels": {"step": "4"}`)
			for range 5 {
				w.end("scan", graph.Completed, func(d *graph.Dispatch) { d.Labels = map[string]string{"step": "0"} })
				w.work(a)
				w.work(b)
				w.work(c)
				w.work(d)
			}
			if n := len(w.ledger.Dispatches(d.ID)); n != 5 {
				t.Errorf("%d of 5 came through", n)
			}
		})
	})
}

func TestFields_are_checked(t *testing.T) {
	for fields, want := range map[string]string{
		`{}`:                                     "of",
		`{"of": {}}`:                             "of.lattice",
		`{"of": {"status": ["failed"]}}`:         "of.lattice",
		`{"of": {"label": {}}}`:                  "of.lattice",
		`{"of": {"lattice": "x", "status": []}}`: "of.status",
		`{"of": {"lattice": "x", "status": "complete"}}`: "of.status[0]",
		`{"of": {"label": {"n": 1}}}`:                    "of.label.n",
		`{"of": {"latice": "x", "trigger": "y"}}`:        "of.latice",
		`{"of": "scan"}`:                                 "of",
	} {
		var object map[string]any
		if err := json.Unmarshal([]byte(fields), &object); err != nil {
			t.Fatal(err)
		}
		_, err := triggers.Make(Kind, object)
		var invalid *graph.Invalid
		if !errors.As(err, &invalid) || invalid.Problems[0].Path != want {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

func TestFields_name_their_own_loop(t *testing.T) {
	m, err := triggers.Make(Kind, map[string]any{"name": "t", "of": map[string]any{"trigger": "t"}})
	if err != nil || len(m.Warnings) != 1 || m.Warnings[0].Code != triggers.WarnLoop {
		t.Errorf("%+v, %v", m.Warnings, err)
	}
}
