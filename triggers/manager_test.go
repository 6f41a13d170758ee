package triggers_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
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
			if w.wakes.Load() != 1 {
				t.Errorf("woken %d times for one transaction", w.wakes.Load())
			}
		})
	})

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
			if err != nil || len(warnings) != 0 {
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
			tr := w.add(`"inputs": {"n": "${{ event.path }}"}`)
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

func TestOverlap(t *testing.T) {
	t.Run("queue_holds_in_order_and_goes_on_when_dispatches_end", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 2, "inputs": {"n": "${{ event.n }}"}`)
			w.happen(3)
			w.happen(2)
			w.expect(tr, "1:fired:event 2:fired:event 3:held:overlap 4:held:overlap 5:held:overlap")
			w.end(tr, 1)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:overlap 5:held:overlap")
			w.restart()
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:overlap 5:held:overlap")
			w.end(tr, 2)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:fired:event")
		})
	})

	t.Run("an_end_that_nobody_told_of_costs_time_only", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			w.happen(2)
			w.ledger.EndDispatches(tr.ID, 1)
			wait(time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event")
		})
	})

	t.Run("skip_skips_while_one_runs", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "skip", "max_in_flight": 1`)
			w.happen(2)
			w.end(tr, 1)
			w.happen(1)
			w.expect(tr, "1:fired:event 2:skipped:overlap 3:fired:event")
		})
	})

	t.Run("allow_fires_all", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "allow"`)
			w.happen(40)
			if n := len(w.ledger.Dispatches(tr.ID)); n != 40 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("a_backlog_larger_than_memory_drains_in_order", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 100, "inputs": {"n": "${{ event.n }}"}`)
			for range 10 {
				w.happen(500)
			}
			for w.ledger.EndDispatches(tr.ID, 70) > 0 {
				w.manager.DispatchEnded(tr.ID)
				synctest.Wait()
			}
			ds := w.ledger.Dispatches(tr.ID)
			if len(ds) != 5000 {
				t.Fatalf("%d dispatches", len(ds))
			}
			for i, d := range ds {
				var in struct{ N int }
				if err := json.Unmarshal(d.Inputs, &in); err != nil || in.N != i+1 {
					t.Fatalf("dispatch %d has %s", i+1, d.Inputs)
				}
			}
			if s := w.manager.Stats(); s.Held != 0 || s.Events["made"] != 5000 {
				t.Errorf("stats %+v", s)
			}
		})
	})
}

func TestBatch(t *testing.T) {
	t.Run("fires_when_full_and_after_wait", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"batch": {"size": 3, "wait": "5m"}, "inputs": {"n": "${{ len(events) }}", "path": "${{ events[0].path }}"}`)
			w.happen(2)
			wait(4 * time.Minute)
			w.expect(tr, "1:held:batch 2:held:batch")
			w.happen(2)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:batch")
			wait(5 * time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event")
			if got := w.inputs(tr); got != `{"n":3,"path":"/in/1"} {"n":1,"path":"/in/4"}` {
				t.Error(got)
			}
			if f := w.ledger.Firings(tr.ID)[0]; len(f.EventIDs) != 3 || len(f.DispatchIDs) != 1 {
				t.Errorf("firing %+v", f)
			}
		})
	})

	t.Run("wait_counts_on_over_a_restart", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"batch": {"size": 3, "wait": "5m"}`)
			w.happen(1)
			wait(3 * time.Minute)
			w.restart()
			wait(3 * time.Minute)
			w.expect(tr, "1:fired:event")
		})
	})
}

func TestPause(t *testing.T) {
	t.Run("holds_and_asks_what_to_do_with_the_backlog", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			if p, err := w.manager.Pause(t.Context(), "t"); err != nil || p.State != triggers.Paused {
				t.Fatal(p.State, err)
			}
			w.happen(2)
			w.expect(tr, "1:held:paused 2:held:paused")
			w.restart()
			_, err := w.manager.Resume(t.Context(), "t", "")
			var conflict *triggers.ConflictError
			if !errors.As(err, &conflict) || conflict.Code != "backlog_required" {
				t.Fatal(err)
			}
			p, err := w.manager.Resume(t.Context(), "t", "fire")
			if err != nil || p.State != triggers.Active {
				t.Fatal(p.State, err)
			}
			synctest.Wait()
			w.expect(tr, "1:fired:event 2:fired:event")
		})
	})

	t.Run("skip_ends_the_backlog_however_long", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				w.happen(500)
			}
			if _, err := w.manager.Resume(t.Context(), "t", "skip"); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			if got := w.states(tr); strings.Count(got, ":skipped:backlog_skipped") != 2500 || !strings.HasSuffix(got, "2501:fired:event") {
				t.Error(got[len(got)-100:])
			}
		})
	})

	t.Run("without_a_backlog_resume_asks_nothing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			for range 2 {
				if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if p, err := w.manager.Resume(t.Context(), "t", ""); err != nil || p.State != triggers.Active {
					t.Fatal(p.State, err)
				}
			}
			if _, err := w.manager.Resume(t.Context(), "t", "maybe"); err == nil {
				t.Error("maybe is not an answer")
			}
		})
	})
}

func TestTrouble(t *testing.T) {
	t.Run("a_panic_of_one_source_is_its_own", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			w.feed.panics.Store(true)
			w.feed.batches <- triggers.Batch{}
			synctest.Wait()
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Failing || !strings.Contains(got.Reason, "bad weather") {
				t.Errorf("%s %s", got.State, got.Reason)
			}
			w.feed.panics.Store(false)
			wait(time.Second)
			w.happen(1)
			w.expect(tr, "1:fired:event")
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s %s", got.State, got.Reason)
			}
		})
	})

	t.Run("a_full_disk_shows_and_passes", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			w.ledger.Fail(func(op string) error {
				if op == "Record" || op == "SetTriggerState" || op == "Fire" {
					return triggertest.ErrFull
				}
				return nil
			})
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1)}}); !errors.Is(err, triggertest.ErrFull) {
				t.Fatal(err)
			}
			stored, _ := w.ledger.Trigger(t.Context(), "t")
			if live := w.manager.Live(stored); live.State != triggers.Failing || !strings.Contains(live.Reason, "full") {
				t.Errorf("%s %s", live.State, live.Reason)
			}
			w.ledger.Fail(nil)
			wait(10 * time.Second)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1)}}); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:fired:event")
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active || got.Reason != "" {
				t.Errorf("%s %s", got.State, got.Reason)
			}
		})
	})

	t.Run("an_answer_that_got_lost_doubles_nothing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			lose := map[string]int{"Record": 1, "Fire": 2}
			w.ledger.FailAfter(func(op string) error {
				if lose[op]--; lose[op] >= 0 {
					return errors.New("connection lost")
				}
				return nil
			})
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1), event(2), event(3)}}); err == nil {
				t.Fatal("no error")
			}
			for range 3 {
				wait(10 * time.Second)
				w.end(tr, 1)
			}
			wait(10 * time.Second)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
			if n := len(w.ledger.Dispatches(tr.ID)); n != 3 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("a_ledger_that_fails_once_at_each_step_loses_and_doubles_nothing", func(t *testing.T) {
		for _, op := range []string{"Record", "Fire", "Window", "Counts", "Fired", "Cursor", "SetTriggerState", "Lattice"} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(`"max_in_flight": 1, "dedupe_key": "${{ event.n }}"`)
				calls := 0
				w.ledger.Fail(func(did string) error {
					if did == op {
						if calls++; calls%3 == 1 {
							return triggertest.ErrFull
						}
					}
					return nil
				})
				for n := 1; n <= 4; n++ {
					for w.emit(triggers.Batch{Events: []triggers.Event{event(n)}}) != nil {
						wait(10 * time.Second)
					}
				}
				w.ledger.Fail(nil)
				for range 4 {
					wait(10 * time.Second)
					w.end(tr, 1)
				}
				w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event")
				if n := len(w.ledger.Dispatches(tr.ID)); n != 4 {
					t.Errorf("%s: %d dispatches", op, n)
				}
			})
		}
	})

	t.Run("a_source_that_ends_is_run_again_with_backoff", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			w.ledger.Fail(func(op string) error {
				if op == "Cursor" {
					return triggertest.ErrFull
				}
				return nil
			})
			w.feed.panics.Store(true)
			w.feed.batches <- triggers.Batch{}
			wait(10 * time.Minute)
			w.ledger.Fail(nil)
			w.feed.panics.Store(false)
			wait(2 * time.Minute)
			if n := w.feed.runs.Load(); n != 2 {
				t.Errorf("%d runs", n)
			}
			if s := w.manager.Stats(); s.States[triggers.Active] != 1 {
				t.Errorf("states %v", s.States)
			}
		})
	})
}
