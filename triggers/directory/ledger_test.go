package directory

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/latticed/latticed/triggers"
)

// drop writes count files, each of which is one event.
func (w *world) drop(from, count int) {
	w.Helper()
	for i := range count {
		w.write(fmt.Sprintf("%d.dat", from+i), "x")
	}
}

func TestLedgerTrouble(t *testing.T) {
	t.Run("a_locked_database_shows_and_loses_nothing", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"],"settle":"300ms"`)
		w.drop(0, 10)
		eventually(w, "dispatches", w.dispatches, 10)
		db, err := sql.Open("sqlite", w.state+"/latticed.db")
		w.must(err)
		defer db.Close()
		c, err := db.Conn(t.Context())
		w.must(err)
		_, err = c.ExecContext(t.Context(), "BEGIN IMMEDIATE")
		w.must(err)
		w.drop(10, 10)
		w.live(triggers.Failing)
		w.drop(20, 10)
		_, err = c.ExecContext(t.Context(), "ROLLBACK")
		w.must(err)
		w.must(c.Close())
		eventually(w, "dispatches", w.dispatches, 30)
		w.trigger(triggers.Active, "")
		w.drop(30, 1)
		eventually(w, "dispatches", w.dispatches, 31)
	})

	t.Run("a_full_disk_shows_and_loses_nothing", func(t *testing.T) {
		state := t.TempDir()
		if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "small", state).Run(); err != nil {
			noMount(t, err)
		}
		t.Cleanup(func() {
			if err := exec.Command("umount", "-l", state).Run(); err != nil {
				t.Error(err)
			}
		})
		w := newWorldIn(t, state)
		w.add(`,"event_names":["closed"],"settle":"300ms"`)
		w.drop(0, 10)
		eventually(w, "dispatches", w.dispatches, 10)
		filler := state + "/filler"
		err := os.WriteFile(filler, make([]byte, 16<<20), 0o600)
		if err == nil {
			t.Fatal("the disk is not full")
		}
		from := 10
		eventually(w, "live state", func() bool { // what was reserved is used up first
			w.drop(from, 50)
			from += 50
			tr, err := w.store.Trigger(t.Context(), "t")
			w.must(err)
			return w.manager.Live(tr).State == triggers.Failing
		}, true)
		w.must(os.Remove(filler))
		eventually(w, "dispatches", w.dispatches, from)
		w.trigger(triggers.Active, "")
		w.drop(from, 1)
		eventually(w, "dispatches", w.dispatches, from+1)
	})
}
