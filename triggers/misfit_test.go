package triggers_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latticed/latticed/triggers"
)

func TestMisfit(t *testing.T) {
	narrow := strings.Replace(echo, "n: {type: integer, default: 0}", "", 1)

	// The lattice that a trigger follows loses the input that its events are mapped to.
	t.Run("of_what_a_trigger_follows_is_told_with_the_first_event_and_after_a_restart_alike", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr, _, err := w.manager.Add(t.Context(), []byte(`{"name": "t", "kind": "feed", "lattice": "echo@latest", "inputs": {"n": "${{ event.n }}"}}`), triggers.Principal{})
			if err != nil {
				t.Fatal(err)
			}
			w.ledger.AddLattice(parse(t, narrow))
			w.happen(1)
			for range 2 {
				got := w.state()
				for _, want := range []string{"degraded no event can run: ", `lattice echo has no input "n"`, "store a lattice echo that takes them", "latticed trigger retry t"} {
					if !strings.Contains(got, want) {
						t.Errorf("%q is not in %q", want, got)
					}
				}
				w.happen(1) // the source runs, and what it reports is not lost
				w.restart()
			}
			w.expect(tr, "1:rejected:inputs 2:rejected:inputs 3:rejected:inputs")
			stored, _ := w.ledger.Trigger(t.Context(), "t")
			if all, err := w.manager.Effective(t.Context(), stored); err != nil || len(all) == 0 {
				t.Errorf("%v, %v", all, err)
			}
			w.ledger.AddLattice(parse(t, echo))
			if n, err := w.manager.Retry(t.Context(), "t", nil, nil, 0, triggers.Principal{}); err != nil || n != 3 {
				t.Fatal(n, err)
			}
			synctest.Wait()
			w.expectState("active")
			if n := len(w.ledger.Dispatches(tr.ID)); n != 3 {
				t.Errorf("%d dispatches", n)
			}
		})
	})

	t.Run("of_a_stored_trigger_is_refused_with_an_edit_that_leaves_it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			if _, _, err := w.manager.Add(t.Context(), []byte(`{"name": "t", "kind": "feed", "lattice": "echo@latest", "inputs": {"n": "${{ event.n }}"}}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			w.ledger.AddLattice(parse(t, narrow))
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"labels": {"a": "b"}}`), triggers.Principal{}); err == nil || !strings.Contains(err.Error(), `inputs.n: lattice echo has no input "n"`) {
				t.Error(err)
			}
			w.patch(`{"inputs": null}`)
			w.happen(1)
			w.expectState("active")
		})
	})
}

func TestRejections_are_remembered_over_a_restart_until_something_fires(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.add(`"inputs": {"n": "${{ event.n < 6 ? event.path : event.n }}"}`)
		w.happen(5)
		before := w.state()
		w.restart()
		if got := w.state(); got != before || !strings.HasPrefix(got, "degraded the last 5 decisions were rejections") {
			t.Error(got)
		}
		w.happen(1)
		w.expectState("active")
		w.restart()
		w.expectState("active")
	})
}
