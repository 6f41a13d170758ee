package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// leads tells whether a path leads to a trigger that is there, and for how many that was
// looked at.
func (w *world) leads(to string) (leads bool, looked int) {
	w.Helper()
	leads, err := w.manager.Behind(w.Context(), DoorsAt(to), func(id, name string, spec json.RawMessage) bool {
		looked++
		return Leads(to, id, name, spec)
	})
	if err != nil {
		w.Fatal(err)
	}
	return leads, looked
}

func TestPath_of_a_trigger(t *testing.T) {
	const first, second = "first-secret-path-1", "second-secret-path-2"
	expect := func(w *world, want map[string]bool) {
		w.Helper()
		for to, leads := range want {
			if got, _ := w.leads(to); got != leads {
				w.Errorf("%s leads to a trigger: %t", to, got)
			}
		}
	}

	t.Run("an_unknown_one_looks_at_no_trigger", func(t *testing.T) {
		w := newWorld(t, nil)
		for i := range 50 {
			w.add(fmt.Sprint("t", i), fmt.Sprintf(`"path_secret": "secret-of-number-%04d"`, i))
		}
		if leads, looked := w.leads("secret-of-number-9999"); leads || looked != 0 {
			t.Errorf("%t, %d looked at", leads, looked)
		}
		if leads, looked := w.leads("secret-of-number-0007"); !leads || looked != 1 {
			t.Errorf("%t, %d looked at", leads, looked)
		}
	})

	t.Run("is_the_one_of_now_after_an_edit_a_pause_a_restart_and_its_end", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+first+`"`)
		open := w.add("open", `"tokens": true`)
		expect(w, map[string]bool{first: true, "t": false, tr.ID: false, "open": true, open.ID: true, second: false})
		if _, _, err := w.manager.Patch(w.Context(), "t", []byte(`{"path_secret": "`+second+`"}`), triggers.Principal{}); err != nil {
			t.Fatal(err)
		}
		expect(w, map[string]bool{first: false, second: true})
		if _, err := w.manager.Pause(w.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		expect(w, map[string]bool{second: true})
		w.stop()
		w.start(nil)
		expect(w, map[string]bool{first: false, second: true, "open": true})
		for _, name := range []string{"t", "open"} {
			if err := w.manager.Remove(w.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		expect(w, map[string]bool{second: false, "open": false, open.ID: false})
		again := w.add("open", `"path_secret": "`+second+`", "tokens": true`)
		expect(w, map[string]bool{second: true, "open": false, open.ID: false, again.ID: false})
	})

	t.Run("is_not_known_before_the_manager_runs_nor_after_it", func(t *testing.T) {
		m := triggers.NewManager(triggertest.NewLedger(), triggers.Kinds{Name: New(nil).Kind}, triggers.Options{Doors: Doors})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := m.Behind(ctx, DoorsAt("t"), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		w := newWorld(t, nil)
		w.add("t", `"tokens": true`)
		w.stop()
		if _, err := w.manager.Behind(t.Context(), DoorsAt("t"), nil); !errors.Is(err, triggers.ErrStopped) {
			t.Error(err)
		}
	})
}
