package timer

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestMissed_is_not_retried_but_backfilled(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tr := w.add(`"every":"1h","catch_up":"none"`)
		w.stop()
		wait(5*time.Hour + 2*time.Minute)
		w.start()
		synctest.Wait()
		want := "2000-01-01T05:00:00Z 4 skipped catch_up"
		w.tells(tr.ID, want)
		retry := func(ids []string, states ...triggers.EventState) (int, error) {
			return w.manager.Retry(t.Context(), "t", ids, states, 0, triggers.Principal{})
		}
		if n, err := retry(nil, triggers.EventSkipped); n != 0 || err != nil {
			t.Error(n, err)
		}
		_, err := retry([]string{w.ledger.Events(tr.ID)[0].ID})
		var conflict *triggers.ConflictError
		if !errors.As(err, &conflict) || conflict.Code != "event_missed" || !strings.Contains(conflict.Message, "latticed trigger backfill t --since … --until …") {
			t.Error(err)
		}
		synctest.Wait()
		w.tells(tr.ID, want)
	})
}
