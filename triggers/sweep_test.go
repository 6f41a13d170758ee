package triggers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// held shows which dispatches of a trigger wait for others: "." goes, "h" waits.
func (w *world) held(t triggers.Trigger) string {
	var b strings.Builder
	for _, d := range w.ledger.Dispatches(t.ID) {
		if d.Held {
			b.WriteByte('h')
		} else {
			b.WriteByte('.')
		}
	}
	return b.String()
}

func TestSweep(t *testing.T) {
	t.Run("one_event_is_one_firing_with_many_dispatches", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"inputs": {"path": "${{ event.path }}"}, "labels": {"sample": "s${{ event.n }}"},
				"sweep": {"grid": {"n": [1, "${{ event.n + 5 }}", 3]}, "max_in_flight": 2}`)
			w.happen(1)
			w.expect(tr, "1:fired:event")
			if got := w.inputs(tr); got != `{"n":1,"path":"/in/1"} {"n":6,"path":"/in/1"} {"n":3,"path":"/in/1"}` || w.held(tr) != "..h" {
				t.Errorf("%s %s", got, w.held(tr))
			}
			ds := w.ledger.Dispatches(tr.ID)
			name := ds[0].Labels[graph.SweepLabel]
			if !strings.HasPrefix(name, "t-2000") || ds[2].Labels["sample"] != "s1" || ds[2].Labels[graph.SweepLabel] != name || ds[0].ID == ds[1].ID || ds[0].FiringID != ds[2].FiringID {
				t.Errorf("%+v", ds)
			}
			fs := w.ledger.Firings(tr.ID)
			if len(fs) != 1 || len(fs[0].DispatchIDs) != 3 {
				t.Errorf("%+v", fs)
			}
			w.happen(1)
			if other := w.ledger.Dispatches(tr.ID)[3].Labels[graph.SweepLabel]; other == name {
				t.Errorf("two firings share %s", name)
			}
		})
	})

	t.Run("an_expression_gives_the_list_itself", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"sweep": {"grid": {"n": "${{ [event.n, event.n * 2] }}"}, "list": "${{ [{path: event.path}, {path: \"b\"}] }}"}`)
			w.happen(1)
			if got := w.inputs(tr); got != `{"n":1,"path":"/in/1"} {"n":2,"path":"/in/1"} {"n":1,"path":"b"} {"n":2,"path":"b"}` {
				t.Error(got)
			}
		})
	})

	t.Run("nothing_fires_when_a_combination_does_not_fit", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"sweep": {"list": ["${{ event.n == 1 ? {n: \"many\"} : {n: 7} }}", {"n": 1}]}, "dedupe_key": "${{ 1 }}"`)
			w.happen(1)
			w.happen(1) // and the dedupe key is free
			w.happen(1)
			w.expect(tr, "1:rejected:inputs 2:fired:event 3:skipped:duplicate")
			if got := w.inputs(tr); got != `{"n":7,"path":"none"} {"n":1,"path":"none"}` {
				t.Error(got)
			}
			if reason := w.ledger.Events(tr.ID)[0].Reason; !strings.HasPrefix(reason, `inputs: list[0].n: combination 1 of 2 (n="many"): `) {
				t.Error(reason)
			}
		})
	})

	t.Run("rejects_what_is_no_list_and_what_is_too_long", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"sweep": {"grid": {"n": "${{ event.n == 1 ? 5 : event.n == 2 ? [] : map(1..1001, #) }}"}}`)
			w.happen(3)
			for i, want := range []string{
				"sweep: grid.n: must be a list of values, not a number",
				"sweep: grid.n: has no value: there is nothing to run",
				"sweep: there are 1001 combinations, at most 1000 are possible at a time",
			} {
				if e := w.ledger.Events(tr.ID)[i]; e.State != triggers.EventRejected || e.Reason != want {
					t.Errorf("%s %s", e.State, e.Reason)
				}
			}
			if len(w.ledger.Dispatches(tr.ID)) != 0 {
				t.Error("something was fired")
			}
		})
	})

	t.Run("a_batch_sees_all_its_events", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"batch": {"size": 3}, "sweep": {"grid": {"n": "${{ map(events, .n) }}"}}`)
			w.happen(3)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event")
			if got := w.inputs(tr); got != `{"n":1,"path":"none"} {"n":2,"path":"none"} {"n":3,"path":"none"}` {
				t.Error(got)
			}
		})
	})

	t.Run("each_of_its_dispatches_is_in_flight_until_it_ends", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 2, "sweep": {"grid": {"n": [1, 2, 3]}, "max_in_flight": 1}`)
			w.happen(2)
			w.expect(tr, "1:fired:event 2:held:overlap")
			w.end(tr, 1)
			w.expect(tr, "1:fired:event 2:held:overlap")
			w.restart()
			w.end(tr, 1)
			wait(time.Minute)
			w.expect(tr, "1:fired:event 2:fired:event")
		})
	})

	t.Run("the_rate_counts_firings", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "allow", "rate": "2/1h", "sweep": {"grid": {"n": [1, 2, 3]}}`)
			w.happen(3)
			w.expect(tr, "1:fired:event 2:fired:event 3:held:rate")
		})
	})

	t.Run("by_hand_and_in_a_preview_it_is_a_sweep_too", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"sweep": {"grid": {"n": "${{ [event.n, 9] }}"}}`)
			f, err := w.manager.Fire(t.Context(), "t", []byte(`{"n": 4}`), triggers.Principal{Name: "bob"})
			if err != nil || len(f.DispatchIDs) != 2 || string(f.Inputs) != `{"n":4,"path":"none"}` {
				t.Errorf("%+v %v", f, err)
			}
			for _, d := range w.ledger.Dispatches(tr.ID) {
				if d.CreatedBy != "bob" {
					t.Errorf("%+v", d)
				}
			}
		})
	})
}

func TestSweep_of_a_time_trigger(t *testing.T) {
	inClockwork(t, `"every": "1h", "sweep": {"grid": {"n": [1, 2], "path": ["a", "${{ event.time }}"]}}`, func(w *clockwork, tr triggers.Trigger) {
		wait(61 * time.Minute)
		ds := w.ledger.Dispatches(tr.ID)
		if len(ds) != 4 || string(ds[0].Inputs) != `{"n":1,"path":"a"}` || string(ds[3].Inputs) != `{"n":2,"path":"2000-01-01T01:00:00.000000Z"}` {
			t.Errorf("%+v", ds)
		}
	})
}

func TestSweep_of_a_directory_trigger(t *testing.T) {
	l := newLab(t)
	l.add(`, "inputs": {"path": "${{ event.path }}"}, "sweep": {"grid": {"n": [1, 2, 3]}, "max_in_flight": 2}`)
	path := l.write("a.dat", "1")
	l.expect("a.dat:fired:event")
	l.restart()
	l.expect("a.dat:fired:event")
	for n := 1; n <= 3; n++ {
		d, err := l.store.Dispatch(t.Context(), fmt.Sprint(n))
		if err != nil || string(d.Inputs) != fmt.Sprintf(`{"n":%d,"path":%q}`, n, path) || d.Held != (n == 3) || d.Sweep != 1 {
			t.Errorf("%+v %v", d, err)
		}
	}
	fs, _, err := l.store.Firings(t.Context(), "t", nil, 10, "")
	if err != nil || len(fs) != 1 || len(fs[0].DispatchIDs) != 3 {
		t.Errorf("%+v %v", fs, err)
	}
}

// TestSweep_that_can_not_work is refused when it is registered.
func TestSweep_that_can_not_work(t *testing.T) {
	for _, test := range []struct{ fields, want string }{
		{`"sweep": {}`, "sweep.grid: give a grid or a list of inputs"},
		{`"sweep": 3`, "sweep: must be an object, not a number"},
		{`"sweep": {"grit": {"n": [1]}}`, "did you mean grid?"},
		{`"sweep": {"grid": {"n": 3}}`, "sweep.grid.n: must be the list of its values"},
		{`"sweep": {"grid": {"n": []}}`, "sweep.grid.n: has no value"},
		{`"sweep": {"grid": {"m": [1]}}`, "sweep.grid.m: lattice echo has no input \"m\""},
		{`"sweep": {"list": [{"m": 1}]}`, "sweep.list: lattice echo has no input \"m\""},
		{`"sweep": {"list": [3]}`, "sweep.list[0]: must be an object of inputs, not a number"},
		{`"sweep": {"list": {"n": 1}}`, "sweep.list: must be a list of objects of inputs"},
		{`"sweep": {"grid": {"n": [1, "x"]}}`, `sweep.grid.n[1]: combination 2 of 2 (n="x"): `},
		{`"inputs": {"path": "${{ event.path }}"}, "sweep": {"grid": {"n": [1, "x"]}}`, `sweep.grid.n[1]: combination 2 of 2 (n="x"): `},
		{`"inputs": {"n": 1}, "sweep": {"grid": {"n": [1]}}`, "sweep.grid.n: is in inputs, too"},
		{`"inputs": {"n": "${{ event.n }}"}, "sweep": {"grid": {"n": [1]}}`, "sweep.grid.n: is in inputs, too"},
		{`"sweep": {"grid": {"n": ["${{ event.m }}"]}}`, "sweep.grid.n[0]: "},
		{`"batch": {"size": 2}, "sweep": {"grid": {"n": ["${{ event.n }}"]}}`, "with batch.size above 1 inputs and labels see the list `events`"},
		{`"sweep": {"grid": {"n": [1]}, "max_in_flight": 0}`, "sweep.max_in_flight: must be between 1 and 10000"},
		{`"labels": {"sweep": "x"}, "sweep": {"grid": {"n": [1]}}`, "labels.sweep: is what the dispatches of a firing are called together"},
	} {
		inBubble(t, func(t *testing.T, w *world) {
			_, _, err := w.manager.Add(t.Context(), spec(test.fields), triggers.Principal{})
			var invalid *graph.Invalid
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s\n got %v\nwant %s", test.fields, err, test.want)
			}
		})
	}
}

func TestSweep_gives_required_inputs_and_no_warning(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.ledger.AddLattice(parse(t, "lattice: needs\ninputs: {a: {type: integer}, b: {type: integer}}\nelectrons: {e: {run: ['true']}}"))
		_, ws, err := w.manager.Add(t.Context(), []byte(`{"name": "t", "kind": "feed", "lattice": "needs", "sweep": {"grid": {"a": [1, 2]}, "list": [{"b": "${{ event.n }}"}]}}`), triggers.Principal{})
		if err != nil || len(ws) != 0 {
			t.Errorf("%v %v", ws, err)
		}
		_, _, err = w.manager.Add(t.Context(), []byte(`{"name": "u", "kind": "feed", "lattice": "needs", "sweep": {"grid": {"a": [1, 2]}}}`), triggers.Principal{})
		if err == nil || !strings.Contains(err.Error(), "inputs.b: lattice needs needs the input b") {
			t.Error(err)
		}
		_, _, err = w.manager.Add(t.Context(), []byte(`{"name": "v", "kind": "feed", "lattice": "needs", "inputs": {"b": "${{ event.n }}"}, "sweep": {"grid": {"a": [1, "x"]}}}`), triggers.Principal{})
		if err == nil || !strings.Contains(err.Error(), `sweep.grid.a[1]: combination 2 of 2 (a="x"): `) {
			t.Errorf("what never fits is found at the first event only: %v", err)
		}
		p, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"sweep": {"grid": {"a": [5]}}}`), triggers.Principal{})
		if err != nil || p.Revision != 2 {
			t.Errorf("%+v %v", p, err)
		}
		set, err := w.manager.Effective(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]any{}
		for _, s := range set {
			found[s.Field] = s.Value
		}
		if fmt.Sprint(found["sweep.grid.a"], found["sweep.max_in_flight"]) != "[5] 16" {
			t.Errorf("%+v", set)
		}
	})
}

// TestSweep_that_feeds_its_trigger is noticed though not its first dispatch writes the
// file, but one that begins when that has ended.
func TestSweep_that_feeds_its_trigger(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(`"overlap": "allow", "sweep": {"grid": {"n": [1, 2]}, "max_in_flight": 1}`)
		w.file("/in/a")
		for range 3 {
			w.ledger.BeginDispatches(tr.ID, 1)
			wait(time.Minute)
			w.end(tr, 1)
			w.restart()
			w.runs(tr, "/in/a")
		}
		w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:loop")
	})
}
