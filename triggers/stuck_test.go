package triggers_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/triggers"
)

// hang makes the source of a trigger hang as in a system call: it does not hear of the
// end of its context before the function it returns is called.
func (w *world) hang() (release func()) {
	w.feed.hung = make(chan struct{})
	w.feed.batches <- triggers.Batch{}
	synctest.Wait()
	hung := w.feed.hung
	w.feed.hung = nil
	return func() { close(hung) }
}

func TestStuck(t *testing.T) {
	t.Run("a_source_that_hangs_does_not_keep_the_manager_from_stopping_and_is_named", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			release := w.hang()
			before := time.Now()
			w.stop()
			if took := time.Since(before); took != 5*time.Second {
				t.Errorf("stopped after %s", took)
			}
			if log := w.log.String(); strings.Count(log, `"trigger":"t"`) == 0 || !strings.Contains(log, "left behind") {
				t.Error(log)
			}
			release()
		})
	})

	t.Run("it_can_be_edited_and_removed_and_emits_no_more", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(``)
			release := w.hang()
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"overlap":"allow"}`), triggers.Principal{}); err != nil {
				t.Fatal(err)
			}
			w.happen(1)
			w.expect(tr, "1:fired:event")
			again := w.hang()
			if err := w.manager.Remove(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			release()
			again()
			synctest.Wait()
			w.expect(tr, "1:fired:event")
		})
	})
}

func TestRenewal(t *testing.T) {
	lose := func(w *world, lost string) {
		w.ledger.FailAfter(func(op string) error {
			if op == lost {
				return errors.New("connection lost")
			}
			return nil
		})
	}
	t.Run("an_edit_whose_answer_was_lost_counts_from_the_next_event_on", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"max_in_flight": 1`)
			lose(w, "ReviseTrigger")
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(`{"max_in_flight":2}`), triggers.Principal{}); err == nil {
				t.Fatal("no error")
			}
			w.ledger.FailAfter(nil)
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1)}}); !errors.Is(err, triggers.ErrRevised) {
				t.Fatal(err)
			}
			wait(time.Second)
			w.happen(3)
			w.expect(tr, "1:fired:event 2:fired:event 3:held:overlap")
		})
	})

	t.Run("a_removal_whose_answer_was_lost_ends_the_source", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			lose(w, "RemoveTrigger")
			if err := w.manager.Remove(t.Context(), "t"); err == nil {
				t.Fatal("no error")
			}
			if err := w.emit(triggers.Batch{Events: []triggers.Event{event(1)}}); !errors.Is(err, triggers.ErrRevised) {
				t.Fatal(err)
			}
			wait(time.Second)
			if s := w.manager.Stats(); len(s.States) != 0 {
				t.Errorf("%v", s.States)
			}
		})
	})
}

func TestLog_names_the_trigger_once(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.add(``)
		w.stop()
		for line := range strings.Lines(w.log.String()) {
			if strings.Count(line, `"trigger":`) != 1 {
				t.Error(line)
			}
		}
	})
}

// newLog is a log to look at when the manager has stopped.
func newLog() (*bytes.Buffer, zerolog.Logger) {
	var b bytes.Buffer
	return &b, zerolog.New(zerolog.SyncWriter(&b))
}
