package triggers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestRestored(t *testing.T) {
	t.Run("holds_what_happens_says_what_would_fire_and_goes_on", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "queue", "max_in_flight": 2`)
			w.happen(1)
			w.expect(tr, "1:fired:event")
			w.restored = true
			w.restart()
			w.happen(3)
			w.expect(tr, "1:fired:event 2:held:restored 3:held:restored 4:held:restored")
			w.restart() // again
			time.Sleep(time.Hour)
			all, err := w.manager.Standings(t.Context())
			if err != nil || len(all) != 1 || all[0].Name != "t" || all[0].Pending != 3 || all[0].WouldFire != 1 || all[0].Note == "" {
				t.Errorf("%+v, %v", all, err)
			}
			w.expect(tr, "1:fired:event 2:held:restored 3:held:restored 4:held:restored")
			if !w.manager.Held() {
				t.Error("it is not held")
			}
			w.manager.Release()
			w.manager.Release()
			synctest.Wait()
			w.expect(tr, "1:fired:event 2:fired:event 3:held:overlap 4:held:overlap")
		})
	})
	t.Run("a_backlog_can_be_dropped_before", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.restored = true
			w.restart()
			tr := w.add(``)
			w.happen(2)
			if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			if all, err := w.manager.Standings(t.Context()); err != nil || len(all) != 1 || all[0].WouldFire != 0 || all[0].Note != "it is paused" {
				t.Errorf("%+v, %v", all, err)
			}
			if _, err := w.manager.Resume(t.Context(), "t", triggers.BacklogSkip); err != nil {
				t.Fatal(err)
			}
			w.manager.Release()
			synctest.Wait()
			w.happen(1)
			w.expect(tr, "1:skipped:backlog_skipped 2:skipped:backlog_skipped 3:fired:event")
		})
	})
	t.Run("who_does_not_catch_up_skips", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.made = func(m *triggers.Made) { m.SkipPaused = true }
			w.restored = true
			w.restart()
			tr := w.add(``)
			w.happen(1)
			w.expect(tr, "1:skipped:restored")
		})
	})
}
