package triggers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latticed/latticed/triggers"
)

// wrong makes a trigger that rejects events with an odd number.
const wrong = `"inputs": {"n": "${{ event.n % 2 == 0 ? event.n : event.path }}"}`

// right sets it right.
const right = `{"inputs": {"n": "${{ event.n }}"}}`

func (w *world) patch(p string) {
	w.Helper()
	if _, _, err := w.manager.Patch(w.Context(), "t", []byte(p), triggers.Principal{}); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

func (w *world) retry(events []string, confirm int, states ...triggers.EventState) (int, error) {
	w.Helper()
	n, err := w.manager.Retry(w.Context(), "t", events, states, confirm, triggers.Principal{Name: "bob"})
	synctest.Wait()
	return n, err
}

func TestRetry(t *testing.T) {
	t.Run("leaves_alone_what_comes_of_it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n > 0 ? event.path : event.n }}"}`)
			w.happen(2)
			w.slowly = true
			if n, err := w.manager.Retry(t.Context(), "t", nil, nil, 0, triggers.Principal{}); err != nil || n != 2 {
				t.Error(n, err)
			}
			w.expect(tr, "1:rejected:inputs 2:rejected:inputs 1~1:rejected:inputs 2~1:rejected:inputs")
		})
	})

	t.Run("runs_rejected_events_again_as_the_trigger_is_now", func(t *testing.T) { // pain point 34
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(wrong)
			w.happen(3)
			w.expect(tr, "1:rejected:inputs 2:fired:event 3:rejected:inputs")
			w.patch(right)
			if n, err := w.retry(nil, 0); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			w.expect(tr, "1:rejected:inputs 2:fired:event 3:rejected:inputs 1~1:fired:event 3~1:fired:event")
			es := w.ledger.Events(tr.ID)
			if string(es[3].Payload) != string(es[0].Payload) || es[3].Kind != es[0].Kind {
				t.Errorf("%+v", es[3])
			}
			if n, err := w.retry(nil, 0); n != 0 || err != nil {
				t.Error("once more", n, err)
			}
		})
	})

	t.Run("says_first_what_would_become_of_it_and_stores_nothing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(wrong)
			w.happen(3)
			const was = "1:rejected:inputs 2:fired:event 3:rejected:inputs"
			w.expect(tr, was)
			n, pv, err := w.manager.PreviewRetry(t.Context(), "t", nil, nil)
			if err != nil || n != 2 || pv.Counts.WouldFire != 0 || pv.Counts.Ignored != 2 || len(pv.Ignored) != 2 || pv.Ignored[0].Key != "k1~1" || !strings.HasPrefix(pv.Ignored[0].Reason, "rejected: ") {
				t.Errorf("%d %+v %v", n, pv, err)
			}
			w.patch(right)
			n, pv, err = w.manager.PreviewRetry(t.Context(), "t", nil, nil)
			if err != nil || n != 2 || pv.Counts.WouldFire != 2 || len(pv.WouldFire) != 2 || pv.WouldFire[1].Key != "k3~1" || len(pv.WouldFire[1].Inputs) < len("{}")+1 {
				t.Errorf("%d %+v %v", n, pv, err)
			}
			w.expect(tr, was)
			if n, err := w.retry(nil, 0); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			if n, pv, err = w.manager.PreviewRetry(t.Context(), "t", nil, nil); err != nil || n != 0 || pv.Counts.WouldFire != 0 {
				t.Errorf("afterwards: %d %+v %v", n, pv, err)
			}
		})
	})

	t.Run("that_is_rejected_again_has_its_next_try", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(wrong)
			w.happen(1)
			for range 3 {
				if n, err := w.retry(nil, 0); n != 1 || err != nil {
					t.Fatal(n, err)
				}
			}
			w.expect(tr, "1:rejected:inputs 1~1:rejected:inputs 1~2:rejected:inputs 1~3:rejected:inputs")
		})
	})

	t.Run("goes_through_the_gate", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(wrong)
			w.happen(3)
			w.patch(`{"inputs": {"n": "${{ event.n }}"}, "max_in_flight": 1, "when": "${{ event.n != 3 }}"}`)
			if n, err := w.retry(nil, 0); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			w.expect(tr, "1:rejected:inputs 2:fired:event 3:rejected:inputs 1~1:held:overlap 3~1:skipped:condition")
			w.end(tr, 1)
			w.expect(tr, "1:rejected:inputs 2:fired:event 3:rejected:inputs 1~1:fired:event 3~1:skipped:condition")
		})
	})

	t.Run("of_skipped_events_is_asked_for", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"when": "${{ event.n > 1 }}"`)
			w.happen(2)
			w.patch(`{"when": null}`)
			if n, err := w.retry(nil, 0); n != 0 || err != nil {
				t.Error(n, err)
			}
			if n, err := w.retry(nil, 0, triggers.EventSkipped); n != 1 || err != nil {
				t.Error(n, err)
			}
			w.expect(tr, "1:skipped:condition 2:fired:event 1~1:fired:event")
		})
	})

	t.Run("of_some_events_by_their_ids", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(wrong)
			w.happen(3)
			w.patch(`{"max_in_flight": 1}`)
			w.happen(1)
			w.expect(tr, "1:rejected:inputs 2:fired:event 3:rejected:inputs 4:held:overlap")
			es := w.ledger.Events(tr.ID)
			if n, err := w.retry([]string{es[2].ID}, 0); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			w.expect(tr, "1:rejected:inputs 2:fired:event 3:rejected:inputs 4:held:overlap 3~1:held:overlap")
			for _, c := range []struct {
				ids    []string
				states []triggers.EventState
				want   string
			}{
				{[]string{es[0].ID, es[1].ID}, nil, "event_fired"},
				{[]string{es[3].ID}, nil, "event_undecided"},
				{[]string{"nope"}, nil, "not found"},
				{[]string{es[0].ID}, []triggers.EventState{triggers.EventDead}, "not both"},
				{nil, []triggers.EventState{triggers.EventFired}, "must be rejected, dead or skipped"},
				{make([]string, 10_001), nil, "of 10000 at most"},
			} {
				n, err := w.retry(c.ids, 0, c.states...)
				var conflict *triggers.ConflictError
				if n != 0 || err == nil || !strings.Contains(err.Error(), c.want) && (!errors.As(err, &conflict) || conflict.Code != c.want) {
					t.Errorf("%s: %d %v", c.want, n, err)
				}
			}
			w.expect(tr, "1:rejected:inputs 2:fired:event 3:rejected:inputs 4:held:overlap 3~1:held:overlap")
		})
	})

	t.Run("of_more_than_a_thousand_wants_their_number", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n > 0 ? event.path : event.n }}"}, "overlap": "allow"`)
			w.happen(1201)
			for _, confirm := range []int{0, 1000, 1200} {
				var conflict *triggers.ConflictError
				if n, err := w.retry(nil, confirm); n != 0 || !errors.As(err, &conflict) || conflict.Code != "confirm_required" || !strings.Contains(conflict.Message, "1201") {
					t.Fatal(n, err)
				}
			}
			w.patch(right)
			if n, err := w.retry(nil, 1201); n != 1201 || err != nil {
				t.Fatal(n, err)
			}
			if n := len(w.ledger.Dispatches(tr.ID)); n != 1201 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("that_was_cut_off_is_completed_by_another_one", func(t *testing.T) {
		for _, answer := range []string{"refused", "lost"} {
			for cut := 1; cut <= 3; cut++ {
				inBubble(t, func(t *testing.T, w *world) {
					tr := w.add(`"inputs": {"n": "${{ event.n > 0 ? event.path : event.n }}"}, "overlap": "allow"`)
					w.happen(1400)
					w.patch(right)
					records := 0
					fail := func(op string) error {
						if op == "Record" {
							if records++; records == cut {
								return errors.New("power failure")
							}
						}
						return nil
					}
					if answer == "lost" {
						w.ledger.FailAfter(fail)
					} else {
						w.ledger.Fail(fail)
					}
					if _, err := w.retry(nil, 1400); err == nil || !strings.Contains(err.Error(), "ask again for the rest") {
						t.Fatal(err)
					}
					w.ledger.Fail(nil)
					w.ledger.FailAfter(nil)
					w.restart()
					left := 1400 - 500*(cut-1)
					if answer == "lost" {
						left = max(left-500, 0)
					}
					if n, err := w.retry(nil, left); n != left || err != nil {
						t.Fatal(n, err)
					}
					if n := len(w.ledger.Dispatches(tr.ID)); n != 1400 {
						t.Errorf("%s after %d: %d dispatches", answer, cut, n)
					}
				})
			}
		}
	})

	t.Run("is_held_by_a_pause_also_of_kinds_that_skip_what_comes_then", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.made = func(m *triggers.Made) { m.SkipPaused = true }
			tr := w.add(wrong)
			w.happen(1)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			if n, err := w.retry(nil, 0); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			w.expect(tr, "1:rejected:inputs 2:skipped:paused 1~1:held:paused")
			if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.expect(tr, "1:rejected:inputs 2:skipped:paused 1~1:rejected:inputs")
		})
	})

	t.Run("does_not_merge_into_what_a_pause_holds", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(wrong)
			w.happen(1)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			if n, err := w.retry(nil, 0); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			w.expect(tr, "1:rejected:inputs 2:held:paused 1~1:held:paused")
		})
	})
}

func TestFireEvent(t *testing.T) {
	fire := func(w *world, event string) (triggers.Firing, error) {
		f, err := w.manager.FireEvent(w.Context(), "t", event, triggers.Principal{Name: "bob"})
		synctest.Wait()
		return f, err
	}
	t.Run("that_waits_is_fired_whatever_holds_it", func(t *testing.T) {
		for what, with := range map[string]func(w *world) triggers.Trigger{
			"overlap": func(w *world) triggers.Trigger { return w.add(`"max_in_flight": 1, "inputs": {"n": "${{ event.n }}"}`) },
			"rate":    func(w *world) triggers.Trigger { return w.add(`"rate": "1/1h", "inputs": {"n": "${{ event.n }}"}`) },
			"paused": func(w *world) triggers.Trigger {
				tr := w.add(`"inputs": {"n": "${{ event.n }}"}`)
				w.happen(1)
				w.n--
				if _, err := w.manager.Pause(w.Context(), "t"); err != nil {
					w.Fatal(err)
				}
				return tr
			},
		} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := with(w)
				w.happen(3)
				w.expect(tr, fmt.Sprintf("1:fired:event 2:held:%s 3:held:%s", what, what))
				id := w.ledger.Events(tr.ID)[2].ID
				f, err := fire(w, id)
				if err != nil || f.Decision != triggers.EventFired || f.Reason != "manual" || len(f.DispatchIDs) != 1 || f.EventIDs[0] != id {
					t.Fatalf("%+v %v", f, err)
				}
				w.expect(tr, fmt.Sprintf("1:fired:event 2:held:%s 3:fired:manual", what))
				if d := w.ledger.Dispatches(tr.ID)[1]; string(d.Inputs) != `{"n":3,"path":"none"}` || d.CreatedBy != "bob" {
					t.Errorf("%s by %s", d.Inputs, d.CreatedBy)
				}
				w.restart()
				w.expect(tr, fmt.Sprintf("1:fired:event 2:held:%s 3:fired:manual", what))
			})
		}
	})

	t.Run("that_has_ended_is_fired_as_a_new_one_that_names_it", func(t *testing.T) { // pain point 27
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"dedupe_key": "${{ event.path }}", "inputs": {"n": "${{ event.n }}"}`)
			w.happen(1)
			e := w.ledger.Events(tr.ID)[0]
			for range 2 {
				f, err := fire(w, e.ID)
				if err != nil || f.Decision != triggers.EventFired {
					t.Fatal(f, err)
				}
			}
			es := w.ledger.Events(tr.ID)
			if len(es) != 3 || es[1].Kind != "manual" || !strings.HasSuffix(es[1].Key, e.ID) || string(es[1].Payload) != `{"n":1,"path":"/in/1"}` {
				t.Errorf("%+v", es)
			}
			if got := w.inputs(tr); got != strings.Repeat(`{"n":1,"path":"none"} `, 2)+`{"n":1,"path":"none"}` {
				t.Error(got)
			}
		})
	})

	t.Run("by_hand_keeps_its_dedupe_key", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"dedupe_key": "${{ event.n % 2 }}", "max_in_flight": 1`)
			w.happen(2)
			if _, err := fire(w, w.ledger.Events(tr.ID)[1].ID); err != nil {
				t.Fatal(err)
			}
			w.happen(2)
			w.expect(tr, "1:fired:event 2:fired:manual 3:skipped:duplicate 4:skipped:duplicate")
		})
	})

	t.Run("that_does_not_fit_is_rejected_and_says_why", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"n": "${{ event.n > 0 ? event.path : event.n }}"}`)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			f, err := fire(w, w.ledger.Events(tr.ID)[0].ID)
			if err != nil || f.Decision != triggers.EventRejected || !strings.HasPrefix(f.Reason, "inputs: ") {
				t.Errorf("%+v %v", f, err)
			}
			w.expect(tr, "1:rejected:inputs")
		})
	})

	t.Run("of_another_trigger_is_not_found", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			if _, err := fire(w, "nope"); !errors.Is(err, triggers.ErrNotFound) {
				t.Error(err)
			}
		})
	})

	t.Run("is_decided_once_although_the_ledger_fails_in_between", func(t *testing.T) {
		for _, op := range []string{"Event", "Fire"} {
			for _, after := range []bool{false, true} {
				inBubble(t, func(t *testing.T, w *world) {
					tr := w.add(``)
					if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
						t.Fatal(err)
					}
					w.happen(2)
					id := w.ledger.Events(tr.ID)[1].ID
					first := true
					fail := func(o string) error {
						if o == op && first {
							first = false
							return errors.New("power failure")
						}
						return nil
					}
					if after {
						w.ledger.FailAfter(fail)
					} else {
						w.ledger.Fail(fail)
					}
					_, err := fire(w, id)
					if err == nil {
						t.Errorf("%s: no error", op)
					}
					w.ledger.Fail(nil)
					w.ledger.FailAfter(nil)
					want := "1:held:paused 2:held:paused"
					if op == "Fire" && after {
						want = "1:held:paused 2:fired:manual"
					}
					w.expect(tr, want)
					if _, err := w.manager.Resume(t.Context(), "t", "fire"); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					if n := len(w.ledger.Dispatches(tr.ID)); n != 2 {
						t.Errorf("%s: %d dispatches", op, n)
					}
				})
			}
		}
	})
}

func TestNextTry(t *testing.T) {
	for key, want := range map[string]string{
		"a": "a~1", "a~1": "a~2", "a~9": "a~10", "a~": "a~~1", "a~x": "a~x~1", "a~0": "a~0~1", "a~01": "a~01~1", "~1": "~1~1",
		"a~99999999999999999999": "a~99999999999999999999~1", "a~+1": "a~+1~1",
	} {
		if got := triggers.NextTry(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func FuzzNextTry_is_another_key_each_time(f *testing.F) {
	f.Add("a~1", "b")
	f.Fuzz(func(t *testing.T, a, b string) {
		if triggers.NextTry(a) == a {
			t.Errorf("%q", a)
		}
		if a != b && triggers.NextTry(a) == triggers.NextTry(b) {
			t.Errorf("%q and %q", a, b)
		}
	})
}
