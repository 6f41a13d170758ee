package triggers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestPut(t *testing.T) {
	put := func(w *world, name, body string) (triggers.Trigger, triggers.PutResult, error) {
		tr, _, what, err := w.manager.Put(w.Context(), name, []byte(body), triggers.Principal{Name: "bob"})
		synctest.Wait()
		return tr, what, err
	}
	t.Run("creates_then_leaves_alone_then_revises", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			body := `{"kind": "feed", "lattice": "echo", "inputs": {"n": "${{ event.n }}"}, "labels": {"a": "1"}}`
			tr, what, err := put(w, "t", body)
			if err != nil || what != triggers.Created || tr.Name != "t" || tr.Revision != 1 || tr.Owner != "bob" {
				t.Fatal(tr, what, err)
			}
			for _, same := range []string{
				body,
				`{"name": "t", "lattice": "echo", "labels": {"a": "1"}, "kind": "feed", "when": null, "inputs": {"n": "${{ event.n }}", "path": null}}`,
			} {
				quietly(t, w, func() { tr, what, err = put(w, "t", same) })
				if err != nil || what != triggers.Unchanged || tr.Revision != 1 || tr.State != triggers.Active {
					t.Fatal(tr, what, err)
				}
			}
			tr, what, err = put(w, "t", `{"kind": "feed", "lattice": "echo", "inputs": {"n": "${{ event.n * 2 }}"}}`)
			if err != nil || what != triggers.Revised || tr.Revision != 2 {
				t.Fatal(tr, what, err)
			}
			w.happen(1)
			if d := w.ledger.Dispatches(tr.ID)[0]; string(d.Inputs) != `{"n":2,"path":"none"}` || len(d.Labels) != 0 {
				t.Errorf("%s %v", d.Inputs, d.Labels)
			}
		})
	})

	t.Run("replaces_what_add_has_made", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"topic": "x"`)
			if _, what, err := put(w, "t", string(spec(`"topic": "x"`))); err != nil || what != triggers.Unchanged {
				t.Error(what, err)
			}
			next, what, err := put(w, "t", string(spec(``)))
			if err != nil || what != triggers.Revised || next.ID != tr.ID {
				t.Error(next, what, err)
			}
			if strings.Contains(string(next.Spec), "topic") {
				t.Errorf("%s", next.Spec)
			}
		})
	})

	t.Run("keeps_a_pinned_lattice_as_long_as_the_name_is_the_same", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr, _, err := put(w, "t", `{"kind": "feed", "lattice": "echo"}`)
			if err != nil {
				t.Fatal(err)
			}
			pin := tr.LatticeID
			w.ledger.AddLattice(parse(t, strings.Replace(echo, "[echo,", "[printf, x,", 1)))
			if tr, what, err := put(w, "t", `{"kind": "feed", "lattice": "echo"}`); err != nil || what != triggers.Unchanged || tr.LatticeID != pin {
				t.Error(tr, what, err)
			}
			if tr, what, err := put(w, "t", `{"kind": "feed", "lattice": "echo", "topic": "x"}`); err != nil || what != triggers.Revised || tr.LatticeID != pin {
				t.Error(tr, what, err)
			}
			if tr, _, err := put(w, "t", `{"kind": "feed", "lattice": "echo@latest"}`); err != nil || tr.LatticeID != "" || tr.LatticeName != "echo" {
				t.Error(tr, err)
			}
		})
	})

	t.Run("refuses_another_kind_another_name_and_bad_content", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			for body, want := range map[string]string{
				`{"kind": "time", "lattice": "echo"}`:                    "kind: the kind of a trigger can't be changed",
				`{"name": "u", "kind": "feed", "lattice": "echo"}`:       `name: is "u", but this is about "t"`,
				`{"kind": "feed"}`:                                       "dispatch_id: say what to run",
				`{"kind": "feed", "lattice": "echo", "batch": {"x": 1}}`: "batch.x: unknown field",
				`[]`: "must be a JSON object",
			} {
				var err error
				quietly(t, w, func() { _, _, err = put(w, "t", body) })
				var invalid *graph.Invalid
				if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v", body, err)
				}
			}
			if _, _, err := put(w, "no good", `{"kind": "feed", "lattice": "echo"}`); err == nil {
				t.Error("a bad name")
			}
		})
	})

	t.Run("changes_nothing_when_the_ledger_refuses", func(t *testing.T) {
		for _, op := range []string{"Trigger", "Lattice", "CreateTrigger", "ReviseTrigger"} {
			for _, exists := range []bool{false, true} {
				inBubble(t, func(t *testing.T, w *world) {
					if exists {
						w.add(``)
					}
					w.ledger.Fail(func(o string) error {
						if o == op {
							return errors.New("disk full")
						}
						return nil
					})
					_, _, err := put(w, "t", string(spec(`"topic": "y"`)))
					w.ledger.Fail(nil)
					all, _ := w.ledger.Triggers(t.Context())
					used := op != "CreateTrigger" || !exists
					used = used && (op != "ReviseTrigger" || exists)
					switch {
					case used && err == nil, !used && err != nil:
						t.Errorf("%s, exists %v: %v", op, exists, err)
					case used && exists && (len(all) != 1 || all[0].Revision != 1):
						t.Errorf("%s: %+v", op, all)
					case used && !exists && len(all) != 0:
						t.Errorf("%s: %+v", op, all)
					}
					if exists { // it runs as before
						w.happen(1)
						w.expect(all[0], "1:fired:event")
					}
				})
			}
		}
	})

	t.Run("at_the_same_time_makes_one_trigger", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			results := make(chan triggers.PutResult)
			for range 4 {
				go func() {
					_, _, what, err := w.manager.Put(t.Context(), "t", spec(``), triggers.Principal{})
					if err != nil {
						t.Error(err)
					}
					results <- what
				}()
			}
			var got []string
			for range 4 {
				got = append(got, string(<-results))
			}
			if slices.Sort(got); strings.Join(got, " ") != "created unchanged unchanged unchanged" {
				t.Error(got)
			}
		})
	})
}
