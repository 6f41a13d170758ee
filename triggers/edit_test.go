package triggers_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// Edits, while what the trigger is to watch takes its time to answer.
func TestEdit_of_what_is_slow(t *testing.T) {
	// patched begins an edit that looks at the folder; its end is told.
	patched := func(w *world, name, patch string) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, _, err := w.manager.Patch(w.Context(), name, []byte(patch), triggers.Principal{})
			done <- err
		}()
		synctest.Wait()
		return done
	}

	t.Run("holds_up_nobody_else", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			if _, _, err := w.manager.Add(t.Context(), []byte(`{"name": "u", "kind": "feed", "lattice": "echo"}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			w.feed.slowly = time.Hour
			hung := patched(w, "t", `{"topic": "x"}`)
			begin := time.Now()
			if err := <-patched(w, "u", `{"labels": {"a": "b"}}`); err != nil || time.Since(begin) > 0 {
				t.Error(err, time.Since(begin))
			}
			if err := <-hung; err == nil || time.Since(begin) != 5*time.Second {
				t.Error(err, time.Since(begin))
			}
		})
	})

	t.Run("and_another_one_both_count", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			w.feed.slowly = time.Second
			slow := patched(w, "t", `{"topic": "x"}`)
			for _, done := range []<-chan error{patched(w, "t", `{"labels": {"a": "b"}}`), slow} {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			got, _ := w.ledger.Trigger(t.Context(), "t")
			if s := string(got.Spec); got.Revision != 3 || !strings.Contains(s, `"topic":"x"`) || !strings.Contains(s, `"a":"b"`) {
				t.Errorf("%d %s", got.Revision, s)
			}
		})
	})

	t.Run("undoes_no_pause", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			w.feed.slowly = time.Second
			slow := patched(w, "t", `{"topic": "x"}`)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			if err := <-slow; err != nil {
				t.Error(err)
			}
			synctest.Wait()
			w.expectState("paused")
			w.happen(1)
			w.expect(tr, "1:held:paused")
		})
	})

	t.Run("that_two_make_at_once_makes_one_trigger", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.feed.slowly = time.Second
			results := make(chan triggers.PutResult, 2)
			for range 2 {
				go func() {
					_, _, result, err := w.manager.Put(t.Context(), "t", []byte(`{"kind": "feed", "lattice": "echo"}`), triggers.Principal{})
					if err != nil {
						t.Error(err)
					}
					results <- result
				}()
			}
			if a, b := <-results, <-results; a == b || a != triggers.Created && a != triggers.Unchanged || b != triggers.Created && b != triggers.Unchanged {
				t.Errorf("%s and %s", a, b)
			}
		})
	})
}

func TestEdit_is_tried_again_when_others_were_faster_and_only_then(t *testing.T) {
	for why, want := range map[error]int{triggertest.ErrFull: 1, triggers.ErrRevised: 10} {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			tries := 0
			w.ledger.Fail(func(op string) error {
				if op != "ReviseTrigger" {
					return nil
				}
				tries++
				return why
			})
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"labels": {"a": "b"}}`), triggers.Principal{}); !errors.Is(err, why) || tries != want {
				t.Errorf("%v: %v after %d tries", why, err, tries)
			}
		})
	}
}
