package triggers_test

import (
	"fmt"
	"testing"
)

// TestForesee is about what is decided before events are stored.
func TestForesee(t *testing.T) {
	t.Run("what_is_skipped_among_others_is_stored_with_them", func(t *testing.T) {
		for overlap, want := range map[string]string{
			"skip":         "1:fired:event 2:skipped:overlap 3:skipped:overlap",
			"queue_latest": "1:fired:event 2:skipped:superseded 3:held:overlap",
		} {
			inBubble(t, func(t *testing.T, w *world) {
				tr := w.add(fmt.Sprintf(`"overlap": %q, "max_in_flight": 1`, overlap))
				fires := 0
				w.ledger.Fail(func(op string) error {
					if op == "Fire" {
						fires++
					}
					return nil
				})
				w.happen(3)
				if w.expect(tr, want); fires != 0 {
					t.Errorf("%s: %d transactions more", overlap, fires)
				}
			})
		}
	})
}
