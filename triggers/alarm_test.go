package triggers_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestAlarm(t *testing.T) {
	// told lists what was told since the last call.
	told := func(w *world) string {
		synctest.Wait()
		w.alarms.Lock()
		defer w.alarms.Unlock()
		var out []string
		for _, a := range w.alarms.list {
			reason, _, _ := strings.Cut(a.Reason, ":")
			if a.Before {
				reason += " before"
			}
			out = append(out, a.Trigger+" "+strings.TrimSpace(string(a.State)+" "+reason))
			if a.ID == "" || a.Kind != "feed" || a.At.IsZero() || a.At.After(time.Now()) {
				w.Errorf("%+v", a)
			}
		}
		w.alarms.list = nil
		return strings.Join(out, ", ")
	}
	expect := func(w *world, want string) {
		w.Helper()
		if got := told(w); got != want {
			w.Errorf("told %q, want %q", got, want)
		}
	}
	fail := func(w *world) {
		w.feed.panics.Store(true)
		w.feed.batches <- triggers.Batch{}
		synctest.Wait()
	}

	t.Run("is_given_when_a_trigger_fails_and_taken_back_when_it_works", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			w.happen(3)
			expect(w, "")
			fail(w)
			expect(w, "t failing panic")
			w.feed.panics.Store(false)
			wait(time.Second)
			expect(w, "t active")
			w.happen(3)
			expect(w, "")
		})
	})

	t.Run("is_given_for_silence_and_its_end", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			wait(time.Hour)
			expect(w, "t failing silent")
			wait(10 * time.Hour)
			expect(w, "")
			w.happen(1)
			expect(w, "t active")
		})
	})

	t.Run("is_given_again_after_a_restart_while_it_fails", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			wait(time.Hour)
			expect(w, "t failing silent")
			w.restart()
			expect(w, "t failing silent before")
			w.happen(1)
			expect(w, "t active")
		})
	})

	t.Run("ends_with_a_pause_and_with_the_trigger", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			wait(time.Hour)
			expect(w, "t failing silent")
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			expect(w, "t paused")
			if _, err := w.manager.Resume(t.Context(), "t", ""); err != nil {
				t.Fatal(err)
			}
			expect(w, "")
			wait(time.Hour)
			expect(w, "t failing silent")
			if err := w.manager.Remove(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			expect(w, "t removed the trigger was removed")
			w.add(``)
			if err := w.manager.Remove(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			expect(w, "")
		})
	})

	t.Run("of_an_edited_trigger_is_taken_back_once_it_works", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(`"expect_every": "1h"`)
			wait(time.Hour)
			expect(w, "t failing silent")
			w.patch(`{"expect_every": "2h"}`)
			if got := told(w); !strings.HasSuffix(got, "t active") {
				t.Error(got)
			}
		})
	})
}
