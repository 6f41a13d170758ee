package triggers_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/directory"
	"github.com/latticed/latticed/triggers/timer"
	"github.com/latticed/latticed/triggers/triggertest"
)

// TestAdd_says_what_is_wrong gives each wrong spec the whole answer.
func TestAdd_says_what_is_wrong(t *testing.T) {
	raw, err := os.ReadFile("testdata/wrong.txt")
	if err != nil {
		t.Fatal(err)
	}
	ledger := triggertest.NewLedger()
	ledger.AddLattice(parse(t, echo))
	ledger.AddLattice(parse(t, "lattice: strict\ninputs: {image: {type: string}, folder: {type: string, format: directory, default: /in}}\nelectrons: {e: {run: [\"true\"]}}\n"))
	ledger.AddDispatch(graph.Dispatch{ID: "d1", LatticeID: parse(t, echo).ID, Inputs: json.RawMessage(`{"n":1,"path":"p"}`)})
	kinds := triggers.Kinds{"directory": directory.Kind(directory.Options{}), "time": timer.Kind}
	m := triggers.NewManager(ledger, kinds, triggers.Options{Log: zerolog.Nop()})
	stop := runManager(t, m)
	defer stop()

	// A case is a spec, a line "---", the answer, and an empty line.
	for _, c := range strings.Split(strings.TrimSpace(string(raw)), "\n\n") {
		in, want, ok := strings.Cut(c, "\n---\n")
		if !ok {
			t.Fatalf("no --- in %q", c)
		}
		_, _, err := m.Add(t.Context(), []byte(in), triggers.Principal{})
		var invalid *graph.Invalid
		if !errors.As(err, &invalid) {
			t.Errorf("%s\n got %v", in, err)
			continue
		}
		if got := err.Error(); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
		for _, p := range invalid.Problems {
			if p.Code == "" || p.Message == "" {
				t.Errorf("%s\n a problem without code or message: %+v", in, p)
			}
		}
	}
	if all, _ := ledger.Triggers(t.Context()); len(all) != 0 {
		t.Errorf("%d were registered", len(all))
	}
}

func TestAdd(t *testing.T) {
	t.Run("answers_after_the_baseline_or_with_preparing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.feed.slow = make(chan struct{})
			begin := time.Now()
			tr := w.add(``)
			if took := time.Since(begin); tr.State != triggers.Preparing || took != 5*time.Second {
				t.Errorf("%s after %s", tr.State, took)
			}
			close(w.feed.slow)
			synctest.Wait()
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s", got.State)
			}
		})
		inBubble(t, func(t *testing.T, w *world) {
			if tr := w.add(``); tr.State != triggers.Active || tr.Revision != 1 || tr.Owner != "ada" {
				t.Errorf("%+v", tr)
			}
		})
	})

	t.Run("warns_when_there_is_no_input_mapping", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			_, warnings, err := w.manager.Add(t.Context(), spec(``), triggers.Principal{})
			if err != nil || len(warnings) != 1 || warnings[0].Code != "no_input_mapping" {
				t.Errorf("%v %v", warnings, err)
			}
		})
	})

	t.Run("a_taken_name_is_a_conflict", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			_, _, err := w.manager.Add(t.Context(), spec(``), triggers.Principal{})
			var conflict *triggers.ConflictError
			if !errors.As(err, &conflict) || conflict.Code != "name_taken" {
				t.Error(err)
			}
		})
	})

	t.Run("is_refused_when_the_manager_has_stopped", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.stop()
			if _, _, err := w.manager.Add(t.Context(), spec(``), triggers.Principal{}); !errors.Is(err, triggers.ErrStopped) {
				t.Error(err)
			}
		})
	})
}

func TestPatch(t *testing.T) {
	patch := func(w *world, p string) (triggers.Trigger, error) {
		tr, _, err := w.manager.Patch(w.Context(), "t", []byte(p), triggers.Principal{Name: "bob"})
		synctest.Wait()
		return tr, err
	}
	t.Run("makes_a_revision_to_which_waiting_events_belong", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1, "labels": {"a": "1", "b": "2"}, "inputs": {"n": "${{ event.n }}"}`)
			w.happen(2)
			next, err := patch(w, `{"max_in_flight": null, "labels": {"a": null, "c": "3"}, "inputs": {"n": "${{ event.n * 10 }}"}}`)
			if err != nil || next.Revision != 2 || next.ID != tr.ID {
				t.Fatal(next.Revision, err)
			}
			w.expect(tr, "1:fired:event 2:fired:event")
			d := w.ledger.Dispatches(tr.ID)[1]
			if string(d.Inputs) != `{"n":20,"path":"none"}` || !reflect.DeepEqual(d.Labels, map[string]string{"b": "2", "c": "3"}) {
				t.Errorf("%s %v", d.Inputs, d.Labels)
			}
			if f := w.ledger.Firings(tr.ID); f[0].Revision != 1 || f[1].Revision != 2 {
				t.Errorf("%+v", f)
			}
		})
	})

	t.Run("does_not_run_again_what_was_decided", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"when": "${{ event.n > 1 }}"`)
			w.happen(2)
			if _, err := patch(w, `{"when": null}`); err != nil {
				t.Fatal(err)
			}
			w.expect(tr, "1:skipped:condition 2:fired:event")
		})
	})

	t.Run("leaves_everything_as_it_was_when_refused", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			for p, want := range map[string]string{
				`{"kind": "time"}`:      "the kind of a trigger can't be changed",
				`{"lattice": "nope"}`:   "there is no lattice",
				`{"overlap": "perhap"}`: "overlap: must be one of allow, skip, queue, queue_latest, replace",
				`{"name": null}`:        "name: is missing",
				`[]`:                    "must be a JSON object",
			} {
				if _, err := patch(w, p); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v", p, err)
				}
			}
			if _, _, err := w.manager.Patch(t.Context(), "nope", []byte(`{}`), triggers.Principal{}); !errors.Is(err, triggers.ErrNotFound) {
				t.Error(err)
			}
			w.happen(1)
			w.expect(tr, "1:fired:event")
		})
	})

	t.Run("of_a_paused_trigger_stays_paused", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			if next, err := patch(w, `{"name": "u", "topic": "x"}`); err != nil || next.State != triggers.Paused || next.Name != "u" {
				t.Fatal(next, err)
			}
			w.happen(1)
			w.expect(tr, "1:held:paused")
		})
	})
}

func TestEdit_that_panics_leaves_others_their_turn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		bad := false
		w.made = func(*triggers.Made) {
			if bad {
				panic("a parser")
			}
		}
		w.add(``)
		for _, edit := range []func() error{
			func() error {
				_, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"labels": {"a": "b"}}`), triggers.Principal{})
				return err
			},
			func() error {
				_, _, _, err := w.manager.Put(t.Context(), "t", []byte(`{"kind": "feed", "lattice": "echo"}`), triggers.Principal{})
				return err
			},
		} {
			func() {
				defer func() {
					if bad = false; recover() == nil {
						t.Error("no panic")
					}
				}()
				bad = true
				_ = edit()
			}()
			if err := edit(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestRemove_ends_what_waits_and_keeps_the_history(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(`"max_in_flight": 1`)
		w.happen(2)
		if err := w.manager.Remove(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		w.expect(tr, "1:fired:event 2:skipped:trigger_removed")
		w.end(tr, 1)
		if err := w.manager.Remove(t.Context(), "t"); !errors.Is(err, triggers.ErrNotFound) {
			t.Error(err)
		}
		w.add(``)
	})
}

func TestEffective_tells_every_value_and_its_origin(t *testing.T) { // pain point 41
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(`"batch": {"size": 2}, "inputs": {"n": 3}, "max_in_flight": 4`)
		settings, err := w.manager.Effective(t.Context(), tr)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]triggers.Setting{}
		for _, s := range settings {
			if _, twice := got[s.Field]; twice {
				t.Errorf("%s twice", s.Field)
			}
			got[s.Field] = s
		}
		for _, want := range []triggers.Setting{
			{Field: "name", Value: "t", From: "trigger"},
			{Field: "batch.size", Value: int64(2), From: "trigger"},
			{Field: "batch.wait", Value: "10m", From: "default"},
			{Field: "overlap", Value: "queue", From: "default"},
			{Field: "max_in_flight", Value: int64(4), From: "trigger"},
			{Field: "topic", Value: "any", From: "default"},
			{Field: "rate", Value: nil, From: "default"},
			{Field: "expect_every", Value: nil, From: "default"},
			{Field: "inputs.n", Value: int64(3), From: "trigger"},
			{Field: "inputs.path", Value: "none", From: "lattice echo"},
		} {
			if got[want.Field] != want {
				t.Errorf("%+v, want %+v", got[want.Field], want)
			}
		}
	})
}

func TestMergePatch_follows_the_examples_of_RFC_7396(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		var v [3]map[string]any
		for i := range v {
			if err := json.Unmarshal([]byte(c[i]), &v[i]); err != nil {
				t.Fatal(err)
			}
		}
		if got := triggers.MergePatch(v[0], v[1]); !reflect.DeepEqual(got, v[2]) {
			t.Errorf("%s with %s: %v, want %s", c[0], c[1], got, c[2])
		}
	}
}
