package triggers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// file is the event of a file that was written now, and is seen ten seconds later.
func (w *world) file(name string) {
	w.Helper()
	w.n++
	now := time.Now()
	wait(10 * time.Second)
	payload, err := json.Marshal(map[string]any{"path": name, "mtime": now.UTC().Format(time.RFC3339Nano), "n": w.n})
	if err != nil {
		w.Fatal(err)
	}
	if err := w.emit(triggers.Batch{Events: []triggers.Event{{Key: fmt.Sprintf("k%d", w.n), Kind: "ready", Payload: payload}}}); err != nil {
		w.Fatal(err)
	}
}

// runs lets the dispatch of the last event run for a minute, in the middle of which it
// writes a file.
func (w *world) runs(t triggers.Trigger, writes string) {
	w.Helper()
	w.ledger.BeginDispatches(t.ID, 1)
	wait(30 * time.Second)
	w.file(writes)
	wait(20 * time.Second)
	w.end(t, 1)
}

func TestLoop(t *testing.T) {
	// feeds runs a trigger whose dispatches write next(file), three times.
	feeds := func(w *world, tr triggers.Trigger, next func(string) string) {
		name := "/in/scan.tif"
		w.file(name)
		for range 3 {
			name = next(name)
			w.runs(tr, name)
		}
	}
	for name, next := range map[string]func(string) string{
		"results_beside_the_input":       func(s string) string { return strings.TrimSuffix(s, ".tif") + "_out.tif" },
		"a_file_rewritten_in_place":      func(s string) string { return s },
		"a_results_folder_in_the_folder": func(s string) string { return path.Join(path.Dir(s), "results", path.Base(s)) },
	} {
		t.Run(name+"_is_held_and_told", func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(``)
				feeds(w, tr, next)
				if got := w.states(tr); !strings.HasPrefix(got, "1:fired:event 2:fired:event 3:fired:event 4:held:loop") {
					t.Fatal(got)
				}
				for range 2 {
					got, _ := w.ledger.Trigger(t.Context(), "t")
					if got.State != triggers.Degraded || !strings.Contains(got.Reason, "feed itself") || !strings.Contains(got.Reason, "exclude") {
						t.Errorf("%s %s", got.State, got.Reason)
					}
					if s := w.manager.Stats(); s.Loops != 1 || s.Waiting[triggers.ReasonLoop] == 0 {
						t.Errorf("%+v", s)
					}
					w.restart()
				}
			})
		})
	}

	t.Run("a_restart_in_between_ends_no_chain", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			w.file("/in/scan.tif")
			for range 3 {
				w.ledger.BeginDispatches(tr.ID, 1)
				w.restart()
				w.file("/in/scan.tif")
				w.end(tr, 1)
			}
			if got := w.states(tr); got != "1:fired:event 2:fired:event 3:fired:event 4:held:loop" {
				t.Error(got)
			}
		})
	})

	t.Run("numbers_of_an_instrument_are_no_loop", func(t *testing.T) {
		for _, next := range []func(n int) string{
			func(n int) string { return "/in/scan_1" + strings.Repeat("0", n) + ".tif" },
			func(n int) string { return fmt.Sprintf("/in/scan_%d.tif", n) },
			func(n int) string { return fmt.Sprintf("/in/run.%04d", n) },
			func(n int) string { return fmt.Sprintf("/in/run1/%d/frame.tif", n) },
		} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(``)
				w.file(next(0))
				for n := range 6 {
					w.runs(tr, next(n+1))
				}
				if got := w.states(tr); strings.Count(got, "fired:event") != 7 {
					t.Error(got)
				}
			})
		}
	})

	t.Run("a_file_that_changes_while_nothing_runs_is_no_loop", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			for range 8 {
				w.file("/in/latest.jpg")
				w.ledger.BeginDispatches(tr.ID, 1)
				wait(time.Minute)
				w.end(tr, 1)
				wait(time.Minute)
			}
			if got := w.states(tr); strings.Count(got, "fired:event") != 8 {
				t.Error(got)
			}
		})
	})

	t.Run("an_edit_looks_again_and_skips_what_is_ignored_now", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			s := &ignorer{feed: w.feed}
			w.made = func(m *triggers.Made) { m.Source = s }
			tr := w.add(``)
			feeds(w, tr, func(s string) string { return strings.TrimSuffix(s, ".tif") + "_out.tif" })
			s.ignores = "_out"
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"topic": "other"}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := w.states(tr); !strings.Contains(got, "4:skipped:ignored") || strings.Contains(got, "held") {
				t.Error(got)
			}
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s %s", got.State, got.Reason)
			}
		})
	})

	t.Run("an_edit_begins_a_chain_anew", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.made = func(m *triggers.Made) { m.Source = &ignorer{feed: w.feed, ignores: "other"} }
			tr := w.add(`"overlap": "queue", "max_in_flight": 1`)
			w.file("/in/run")
			for range 3 {
				w.runs(tr, "/in/run")
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:loop")
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			w.restart()
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:loop")
			w.patch(`{"topic": "results are elsewhere"}`)
			if _, err := w.manager.Resume(t.Context(), "t", triggers.BacklogFire); err != nil {
				t.Fatal(err)
			}
			w.restart()
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event")
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s %s", got.State, got.Reason)
			}
			for range 3 {
				w.runs(tr, "/in/run")
			}
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:fired:event 5:fired:event 6:fired:event 7:held:loop")
		})
	})

	t.Run("a_later_event_of_the_path_takes_its_place", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			loop := func() {
				w.file("/in/run")
				for range 3 {
					w.runs(tr, "/in/run")
				}
			}
			active := func() {
				t.Helper()
				if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active || w.manager.Stats().Loops != 0 {
					t.Errorf("%s %s", got.State, got.Reason)
				}
			}
			loop()
			w.file("/in/another")
			w.end(tr, 1)
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:held:loop 5:fired:event")
			w.file("/in/run")
			w.expect(tr, "1:fired:event 2:fired:event 3:fired:event 4:skipped:superseded 5:fired:event 6:fired:event")
			active()
			w.end(tr, 1)
			loop()
			w.restart()
			if _, err := w.manager.Fire(t.Context(), "t", json.RawMessage(`{"path": "/in/run"}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := w.states(tr); strings.Count(got, "superseded") != 2 || strings.Contains(got, "held") {
				t.Error(got)
			}
			active()
		})
	})

	t.Run("it_ends_by_hand_or_when_loops_are_allowed", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			w.file("/in/a")
			for range 3 {
				w.runs(tr, "/in/a")
			}
			held := w.ledger.Events(tr.ID)[3]
			if held.Reason != triggers.ReasonLoop || held.Generation != 3 {
				t.Fatalf("%+v", held)
			}
			if _, err := w.manager.FireEvent(t.Context(), "t", held.ID, triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got, _ := w.ledger.Trigger(t.Context(), "t"); got.State != triggers.Active {
				t.Errorf("%s %s", got.State, got.Reason)
			}
			w.runs(tr, "/in/a")
			if got := w.states(tr); !strings.HasSuffix(got, "5:held:loop") {
				t.Fatal(got)
			}
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"loop": "allow"}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := w.states(tr); strings.Contains(got, "held") {
				t.Error(got)
			}
		})
	})
}

// ignorer is a source that leaves out names with something in them.
type ignorer struct {
	*feed
	ignores string
}

func (s *ignorer) Ignores(fields map[string]any) bool {
	file, _ := fields["path"].(string)
	return s.ignores != "" && strings.Contains(file, s.ignores)
}

func (s *ignorer) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	return s.feed.Run(ctx, from, emit)
}
