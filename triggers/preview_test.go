package triggers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// preview asks for a dry run, which must store nothing.
func preview(t *testing.T, w *world, fields string) triggers.Preview {
	t.Helper()
	var pv triggers.Preview
	var err error
	quietly(t, w, func() { pv, err = w.manager.Preview(t.Context(), spec(fields)) })
	if err != nil {
		t.Fatal(err)
	}
	return pv
}

// shape lists what a preview found, key by key.
func shape(pv triggers.Preview) string {
	var out []string
	for _, f := range pv.WouldFire {
		out = append(out, f.Key+"="+string(f.Inputs))
	}
	for _, s := range pv.Settling {
		out = append(out, s.Key+"~"+s.Why)
	}
	for _, i := range pv.Ignored {
		reason, _, _ := strings.Cut(i.Reason, ": inputs.")
		out = append(out, i.Key+"!"+reason)
	}
	return strings.Join(out, " | ")
}

func TestPreview(t *testing.T) {
	t.Run("shows_what_would_fire_with_the_inputs_of_the_dispatches", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			fields := `"inputs": {"path": "${{ event.path }}", "n": "${{ event.n * 2 }}"}`
			w.feed.probes(event(1), event(2))
			pv := preview(t, w, fields)
			tr := w.add(fields)
			w.happen(2)
			for i, d := range w.ledger.Dispatches(tr.ID) {
				if got := pv.WouldFire[i]; got.Key != fmt.Sprintf("k%d", i+1) || string(got.Inputs) != string(d.Inputs) {
					t.Errorf("%s %s, then %s", got.Key, got.Inputs, d.Inputs)
				}
			}
			if pv.Counts != (triggers.PreviewCounts{WouldFire: 2}) {
				t.Errorf("%+v", pv.Counts)
			}
		})
	})

	t.Run("judges_events_as_the_gate_would_and_says_why", func(t *testing.T) { // pain point 43
		inBubble(t, func(t *testing.T, w *world) {
			w.feed.probes(event(1), event(2), event(3), event(4), event(5))
			pv := preview(t, w, `"when": "${{ event.n != 2 }}", "dedupe_key": "${{ event.n % 3 }}", "inputs": {"n": "${{ event.n == 3 ? event.path : event.n }}"}`)
			want := `k1={"n":1,"path":"none"} | k5={"n":5,"path":"none"} | k2!condition | k4!duplicate | k3!rejected: inputs`
			if got := shape(pv); !sameParts(got, want) {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			if pv.Counts != (triggers.PreviewCounts{WouldFire: 2, Ignored: 3}) {
				t.Errorf("%+v", pv.Counts)
			}
			if codes(pv.Warnings) != "would_reject" || !strings.Contains(pv.Warnings[0].Message, "1 of the events would be rejected") {
				t.Error(pv.Warnings)
			}
		})
	})

	t.Run("counts_what_would_be_rejected_and_lets_the_next_with_its_key_fire", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			const fields = `"dedupe_key": "${{ event.n % 3 }}", "inputs": {"n": "${{ event.n == 1 ? event.path : event.n == 2 ? 1.5 : event.n }}"}`
			w.feed.probes(event(1), event(2), event(4), event(7))
			pv := preview(t, w, fields)
			if got, want := shape(pv), `k4={"n":4,"path":"none"} | k1!rejected: inputs | k2!rejected: inputs | k7!duplicate`; !sameParts(got, want) {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			if m := pv.Warnings[0].Message; !strings.HasPrefix(m, "2 of the events would be rejected") || !strings.Contains(m, "not text") {
				t.Error(m)
			}
			tr := w.add(fields)
			w.emit(triggers.Batch{Events: []triggers.Event{event(1), event(2), event(4), event(7)}})
			w.expect(tr, "1:rejected:inputs 2:rejected:inputs 4:fired:event 7:skipped:duplicate")
		})
	})

	t.Run("of_a_name_that_exists_knows_what_the_trigger_has_seen", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"dedupe_key": "${{ event.n % 2 }}"`)
			w.happen(1)
			w.feed.probe = func(_ context.Context, from triggers.From) (triggers.Probed, error) {
				if string(from.Cursor) != `{}` {
					t.Errorf("cursor %s", from.Cursor)
				}
				return triggers.Probed{Events: []triggers.Event{event(1), event(2), event(3)}}, nil
			}
			pv := preview(t, w, `"topic": "x", "dedupe_key": "${{ event.n % 2 }}"`)
			if got := shape(pv); !sameParts(got, `k2={"n":0,"path":"none"} | k1!it was an event before | k3!duplicate`) {
				t.Error(got)
			}
			_, err := w.manager.Preview(t.Context(), []byte(`{"name": "t", "kind": "time", "lattice": "echo", "every": 1}`))
			if err == nil || !strings.Contains(err.Error(), "the kind of a trigger can't be changed") {
				t.Error(err)
			}
		})
	})

	t.Run("says_what_would_become_of_the_trigger", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			m, name := w.manager, "t"
			got := func(pv triggers.Preview, err error) triggers.PutResult {
				if err != nil {
					t.Fatal(err)
				}
				return pv.Change
			}
			before := got(m.Preview(t.Context(), spec(``)))
			w.add(``)
			quietly(t, w, func() {
				all := []triggers.PutResult{
					before,
					got(m.PreviewPut(t.Context(), name, spec(``))),
					got(m.PreviewPut(t.Context(), name, spec(`"max_in_flight": 7`))),
					got(m.PreviewPatch(t.Context(), name, []byte(`{}`))), // as Patch makes a revision
					got(m.Test(t.Context(), name)),
				}
				if want := "[created unchanged revised revised unchanged]"; fmt.Sprint(all) != want {
					t.Errorf("%v, want %s", all, want)
				}
			})
		})
	})

	t.Run("refuses_what_registration_refuses", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			for _, bad := range []string{`"overlap": "x"`, `"topik": "x"`, `"inputs": {"nn": 1}`, `"when": "${{ event.x }}"`} {
				_, err := w.manager.Preview(t.Context(), spec(bad))
				_, _, want := w.manager.Add(t.Context(), spec(bad), triggers.Principal{})
				if err == nil || want == nil || err.Error() != want.Error() {
					t.Errorf("%s: %v, but %v", bad, err, want)
				}
			}
			w.feed.checks = &graph.Invalid{Problems: []graph.Problem{{Path: "topic", Code: graph.CodeBadPath, Message: "is gone"}}}
			if _, err := w.manager.Preview(t.Context(), spec(``)); err == nil || err.Error() != "topic: is gone" {
				t.Error(err)
			}
		})
	})

	t.Run("gives_back_what_the_source_holds", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			preview(t, w, ``)
			if n := w.feed.closed.Load(); n != 1 {
				t.Errorf("closed %d times", n)
			}
		})
	})

	t.Run("is_answered_although_a_file_server_hangs", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			hung := make(chan struct{})
			w.feed.probe = func(context.Context, triggers.From) (triggers.Probed, error) {
				<-hung
				return triggers.Probed{Events: []triggers.Event{event(1)}}, nil
			}
			begin := time.Now()
			pv := preview(t, w, ``)
			if took := time.Since(begin); took != 20*time.Second || !strings.Contains(codes(pv.Warnings), "no_answer") || len(pv.WouldFire) > 0 {
				t.Errorf("%s %+v", took, pv)
			}
			done := make(chan error)
			for range 17 {
				go func() {
					_, err := w.manager.Preview(t.Context(), spec(``))
					done <- err
				}()
			}
			busy := 0
			for range 17 {
				var conflict *triggers.ConflictError
				if err := <-done; errors.As(err, &conflict) && conflict.Code == "busy" {
					busy++
				} else if err != nil {
					t.Error(err)
				}
			}
			if busy != 2 { // one place is taken since the first
				t.Errorf("%d were turned away", busy)
			}
			close(hung)
			synctest.Wait()
			w.feed.probes(event(1))
			if pv := preview(t, w, ``); len(pv.WouldFire) != 1 {
				t.Errorf("%+v", pv)
			}
		})
	})

	t.Run("survives_a_panic_and_trouble_of_the_source", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.feed.probe = func(context.Context, triggers.From) (triggers.Probed, error) { panic("bad weather") }
			if pv := preview(t, w, ``); !strings.Contains(fmt.Sprint(pv.Warnings), "bad weather") {
				t.Error(pv.Warnings)
			}
			w.feed.probe = func(context.Context, triggers.From) (triggers.Probed, error) {
				return triggers.Probed{}, errors.New("permission denied")
			}
			if pv := preview(t, w, ``); !strings.Contains(codes(pv.Warnings), "unreadable") {
				t.Error(pv.Warnings)
			}
		})
	})

	t.Run("passes_on_instants_settling_files_and_how_events_arrive", func(t *testing.T) { // pain point 5
		inBubble(t, func(t *testing.T, w *world) {
			until := time.Now().Add(time.Minute)
			w.feed.probe = func(context.Context, triggers.From) (triggers.Probed, error) {
				return triggers.Probed{
					AsIfNew: true, Timezone: "Asia/Tokyo",
					Next:     []time.Time{until},
					CatchUp:  &triggers.CatchUp{Missed: 17, WouldRun: 1},
					Settling: []triggers.Settling{{Key: "a", Until: until, Why: "not quiet for 10s"}},
					Ignored:  make([]triggers.Ignored, 500),
					Counts:   triggers.PreviewCounts{Settling: 1, Ignored: 70_000},
					Warnings: []graph.Warning{{Code: "polling", Message: "nfs: looks every 5s"}},
				}, nil
			}
			tr := w.add(``)
			var pv triggers.Preview
			quietly(t, w, func() { pv, _ = w.manager.Test(t.Context(), tr.Name) })
			if len(pv.Next) != 1 || pv.CatchUp.Missed != 17 || pv.Settling[0].Key != "a" || len(pv.Ignored) != 100 || pv.Counts.Ignored != 70_000 {
				t.Errorf("%+v", pv)
			}
			if !pv.AsIfNew || pv.Timezone != "Asia/Tokyo" {
				t.Errorf("%+v", pv)
			}
			if codes(pv.Warnings) != "no_input_mapping polling" {
				t.Error(pv.Warnings)
			}
		})
	})

	t.Run("renders_the_first_twenty_and_counts_the_rest", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			es := make([]triggers.Event, 50)
			for i := range es {
				es[i] = event(i)
			}
			w.feed.probe = func(context.Context, triggers.From) (triggers.Probed, error) {
				return triggers.Probed{Events: es, Counts: triggers.PreviewCounts{WouldFire: 100_000}}, nil
			}
			pv := preview(t, w, `"when": "${{ event.n != 7 }}"`)
			if len(pv.WouldFire) != 20 || pv.Counts.WouldFire != 99_999 || pv.Counts.Ignored != 1 {
				t.Errorf("%d %+v", len(pv.WouldFire), pv.Counts)
			}
		})
	})

	t.Run("shows_batches_and_what_waits_for_one", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.feed.probes(event(1), event(2), event(3))
			pv := preview(t, w, `"batch": {"size": 2}, "inputs": {"n": "${{ len(events) }}"}`)
			if got := shape(pv); got != `k1 and 1 more={"n":2,"path":"none"} | k3~the batch has 1 of 2 events` {
				t.Error(got)
			}
			if pv.Counts != (triggers.PreviewCounts{WouldFire: 2, Settling: 1}) || !pv.Settling[0].Until.Equal(time.Now().Add(10*time.Minute)) {
				t.Errorf("%+v", pv)
			}
		})
	})

	t.Run("says_that_a_paused_or_failing_trigger_fires_nothing", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.feed.probes(event(1))
			pv, err := w.manager.Test(t.Context(), "t")
			if err != nil || codes(pv.Warnings) != "no_input_mapping paused" || len(pv.WouldFire) != 1 {
				t.Error(pv, err)
			}
		})
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			w.feed.panics.Store(true)
			w.feed.batches <- triggers.Batch{}
			synctest.Wait()
			w.feed.probes(event(1))
			pv, err := w.manager.Test(t.Context(), "t")
			if err != nil || codes(pv.Warnings) != "no_input_mapping failing" || !strings.Contains(pv.Warnings[1].Message, "bad weather") || len(pv.WouldFire) != 1 {
				t.Error(pv, err)
			}
		})
	})

	t.Run("of_an_edit_is_of_the_trigger_as_it_would_be", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"inputs": {"n": "${{ event.n }}"}`)
			w.feed.probes(event(1))
			var pv triggers.Preview
			var err error
			quietly(t, w, func() {
				pv, err = w.manager.PreviewPatch(t.Context(), "t", []byte(`{"inputs": {"n": "${{ event.n + 10 }}"}}`))
			})
			if err != nil || shape(pv) != `k1={"n":11,"path":"none"}` {
				t.Error(shape(pv), err)
			}
			if _, err := w.manager.PreviewPatch(t.Context(), "t", []byte(`{"inputs": {"n": "${{ event.path }}"}}`)); err == nil {
				t.Error("a text for a number")
			}
			if _, err := w.manager.PreviewPatch(t.Context(), "nope", []byte(`{}`)); !errors.Is(err, triggers.ErrNotFound) {
				t.Error(err)
			}
		})
	})

	t.Run("of_a_kind_that_knows_nothing_is_empty", func(t *testing.T) {
		ledger, m := bareManager(t)
		_ = ledger
		pv, err := m.Preview(t.Context(), []byte(`{"name": "b", "kind": "bare", "lattice": "echo"}`))
		if err != nil || pv.Counts != (triggers.PreviewCounts{}) || pv.WouldFire != nil {
			t.Error(pv, err)
		}
	})
}

// sameParts compares lists whose order does not matter.
func sameParts(a, b string) bool {
	x, y := strings.Split(a, " | "), strings.Split(b, " | ")
	seen := map[string]int{}
	for _, s := range x {
		seen[s]++
	}
	for _, s := range y {
		seen[s]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestWarnings(t *testing.T) {
	rich := parse(t, "lattice: rich\ninputs:\n  file: {type: string, format: path, default: /x}\n  dir: {type: string, format: directory, default: /x}\n  plain: {type: string, default: x}\n  n: {type: integer, default: 0}\nelectrons: {e: {run: [\"true\"]}}\n")
	for _, c := range []struct{ outcome, fields, want string }{
		{"no_input_mapping", ``, "no_input_mapping"},
		{"a_path_for_an_input_without_format", `"inputs": {"plain": "${{ event.path }}"}`, "no_path_format"},
		{"a_path_for_an_input_with_one", `"inputs": {"file": "${{ event.path }}", "dir": "${{ event.path }}"}`, ""},
		{"a_path_put_together", `"inputs": {"plain": "${{ event.path }}/x"}`, "no_path_format"},
		{"a_text_with_a_path_in_it", `"inputs": {"plain": "about ${{ event.path }}"}`, ""},
		{"skip_drops_events", `"inputs": {"n": "${{ event.n }}"}, "overlap": "skip"`, "overlap_drops"},
		{"queue_latest_drops_events", `"inputs": {"n": "${{ event.n }}"}, "overlap": "queue_latest"`, "overlap_drops"},
		{"replace_ends_dispatches", `"inputs": {"n": "${{ event.n }}"}, "overlap": "replace"`, "overlap_drops"},
		{"queue_drops_nothing", `"inputs": {"n": "${{ event.n }}"}, "overlap": "queue"`, ""},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.ledger.AddLattice(rich)
				body := []byte(strings.Replace(string(spec(c.fields)), `"echo"`, `"rich"`, 1))
				pv, err := w.manager.Preview(t.Context(), body)
				if err != nil || codes(pv.Warnings) != c.want {
					t.Errorf("preview: %s %v", codes(pv.Warnings), err)
				}
				if _, ws, err := w.manager.Add(t.Context(), body, triggers.Principal{}); err != nil || codes(ws) != c.want {
					t.Errorf("add: %s %v", codes(ws), err)
				}
				if _, ws, err := w.manager.Patch(t.Context(), "t", []byte(`{"topic": "y"}`), triggers.Principal{}); err != nil || codes(ws) != c.want {
					t.Errorf("edit: %s %v", codes(ws), err)
				}
			})
		})
	}
}

func TestMapping_that_can_never_fit_is_refused(t *testing.T) {
	wide := parse(t, "lattice: wide\ninputs:\n  s: {type: string, default: x}\n  i: {type: integer, default: 0}\n  f: {type: number, default: 0}\n  b: {type: boolean, default: true}\n  l: {type: array, default: []}\n  o: {type: object, default: {}}\n  any: {default: 1}\nelectrons: {e: {run: [\"true\"]}}\n")
	for mapping, want := range map[string]string{
		`{"i": "${{ event.path }}"}`:               "inputs.i",
		`{"f": "${{ event.path }}"}`:               "inputs.f",
		`{"b": "${{ event.n }}"}`:                  "inputs.b",
		`{"s": "${{ event.n }}"}`:                  "inputs.s",
		`{"s": ["${{ event.path }}"]}`:             "inputs.s",
		`{"l": "${{ event.path }}"}`:               "inputs.l",
		`{"o": "${{ event.n > 1 }}"}`:              "inputs.o",
		`{"i": "seven", "s": "${{ event.path }}"}`: "inputs.i",
		`{"i": "${{ event.n }}", "f": "${{ event.n }}", "s": "${{ event.path }}", "b": "${{ event.n > 1 }}", "l": ["${{ event.n }}"], "o": {"a": "${{ event.n }}"}, "any": "${{ event.n }}"}`: "",
		`{"s": "n is ${{ event.n }}"}`:                       "",
		`{"i": "${{ event.n > 1 ? event.n : event.path }}"}`: "", // only an event can tell
		`{"i": "${{ event.n * 1.0 }}"}`:                      "",
	} {
		inBubble(t, func(t *testing.T, w *world) {
			w.ledger.AddLattice(wide)
			body := []byte(strings.Replace(string(spec(`"inputs": `+mapping)), `"echo"`, `"wide"`, 1))
			_, _, err := w.manager.Add(t.Context(), body, triggers.Principal{})
			switch {
			case want == "" && err != nil:
				t.Errorf("%s: %v", mapping, err)
			case want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+": ")):
				t.Errorf("%s: %v", mapping, err)
			}
		})
	}
}

func TestAdvice_is_what_the_source_says(t *testing.T) { // a proposed settle
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(``)
		w.feed.advice = []graph.Warning{{Code: "settle", Message: "files grew for 40s: settle 1m"}}
		if got := w.manager.Advice(t.Context(), tr); codes(got) != "settle" {
			t.Error(got)
		}
		w.ledger.Fail(func(string) error { return errors.New("gone") })
		if got := w.manager.Advice(t.Context(), tr); got != nil {
			t.Error(got)
		}
		w.ledger.Fail(nil)
		if got := w.manager.Advice(t.Context(), triggers.Trigger{Spec: json.RawMessage(`{`)}); got != nil {
			t.Error(got)
		}
	})
}
