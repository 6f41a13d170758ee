package directory

import (
	"os"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

func (w *world) mv(from, to string) {
	w.Helper()
	w.must(os.Rename(w.path(from), w.path(to)))
}

// stored waits until something is stored of a unit.
func (w *world) stored(unit string) {
	w.Helper()
	eventually(w, "the unit is stored", func() bool {
		tr, err := w.store.Trigger(w.Context(), "t")
		w.must(err)
		_, known, err := w.store.Entity(w.Context(), tr.ID, []byte(unitPrefix+unit))
		w.must(err)
		return known
	}, true)
}

// pain point 15, for folders
func TestUnits_that_are_renamed(t *testing.T) {
	const more = 1200 * time.Millisecond // longer than anything is missing

	for _, refire := range []string{"never", "version"} {
		for _, down := range []bool{false, true} {
			name := "do_not_fire_again_with_" + refire
			if down {
				name += "_while_nobody_looks"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.add(`,"unit":"folder","settle":"100ms","marker":{"all":["done"]},"refire":"` + refire + `"`)
				w.lay("a/1.dat", "a/sub/2.dat", "a/tmp/3.dat", "a/done")
				w.reports("ready a 4")
				if down {
					w.stop()
				}
				w.must(os.RemoveAll(w.path("a/tmp")))
				w.mv("a", "a_done")
				if down {
					w.start()
				}
				w.stored("a_done")
				w.stays("ready a 4", more)
				w.mv("a_done", "a_done_too")
				w.stored("a_done_too")
				w.lay("b/1.dat", "b/done")
				w.reports("ready a 4, ready b 2")
				w.stop()
				w.start()
				w.stays("ready a 4, ready b 2", more)
				w.lay("a_done_too/4.dat")
				want := "ready a 4, ready b 2"
				if refire == "version" {
					want += ", ready a_done_too 4"
				}
				w.reports(want)
				w.lay("a/1.dat", "a/done") // the old name is free
				w.reports(want + ", ready a 2")
				if got := w.backfill(triggers.Range{}, true); got.Known != 3 {
					t.Errorf("%+v", got)
				}
			})
		}
	}

	for _, down := range []bool{false, true} {
		name := map[bool]string{false: "go_on_under_the_new_name", true: "while_nobody_looks_go_on_under_the_new_name"}[down]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add(`,"unit":"folder","settle":"100ms","marker":{"all":["done"]},"deadline":"12s"`)
			w.lay("a/1.dat")
			began := time.Now()
			w.stored("a")
			time.Sleep(8 * time.Second) // of its deadline
			if down {
				w.stop()
			}
			w.mv("a", "b")
			if down {
				w.start()
			}
			w.reports("ready b 1 incomplete")
			if d := time.Since(began); d < 11900*time.Millisecond || d > 19*time.Second {
				t.Errorf("its deadline passed after %s", d)
			}
			held := w.events()[0]
			if down {
				w.stop()
			}
			w.mv("b", "c")
			if down {
				w.start()
			}
			w.stored("c")
			w.stays("ready b 1 incomplete", more)
			w.lay("c/done")
			w.reports("ready c 2")
			eventually(w, "dispatches", w.dispatches, 1)
			if e := w.events()[0]; e.ID != held.ID || e.State != triggers.EventFired {
				t.Errorf("%+v", e)
			}
		})
	}

	t.Run("while_they_settle_wait_no_longer", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"9s"`)
		w.lay("a/1.dat")
		began := time.Now()
		time.Sleep(7 * time.Second) // of its settle
		w.mv("a", "b")
		w.reports("ready b 1")
		if d := time.Since(began); d > 15*time.Second {
			t.Errorf("after %s", d)
		}
	})

	t.Run("into_another_folder_do_not_fire_again", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.add(`,"unit":"folder","depth":2,"settle":"100ms"`)
		w.lay("x/a/1.dat", "y/b/1.dat")
		w.reports("ready x/a 1, ready y/b 1")
		w.mv("x/a", "y/a")
		w.stored("y/a")
		w.mv("y", "z") // with all that is in it
		w.stored("z/a")
		w.stored("z/b")
		w.stays("ready x/a 1, ready y/b 1", more)
	})

	t.Run("are_deleted_and_created", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"100ms","event_names":["created","ready","deleted"]`)
		w.mkdir(w.path("a"))
		w.reports("created a 0")
		w.lay("a/1.dat")
		w.reports("created a 0, ready a 1")
		w.mv("a", "b")
		w.reports("created a 0, ready a 1, deleted a 0, created b 1")
		w.stays("created a 0, ready a 1, deleted a 0, created b 1", more)
	})

	t.Run("before_the_trigger_stay_what_they_were", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.lay("a/1.dat", "a/done", "b/1.dat")
		w.must(os.Chtimes(w.path("a/1.dat"), time.Unix(1, 0), time.Unix(1, 0)))
		w.add(`,"unit":"folder","settle":"0s","marker":{"all":["done"]}`)
		w.mv("a", "a_done")
		w.mv("b", "b_too")
		w.stored("a_done")
		w.stored("b_too")
		w.stays("", more)
		w.lay("b_too/done")
		w.reports("ready b_too 2")
	})

	t.Run("leave_one_file_to_a_new_one_that_fires", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"100ms"`)
		w.lay("a/1.dat", "a/2.dat", "a/sheet.csv")
		w.reports("ready a 3")
		w.stop()
		w.lay("b/1.dat")
		w.mv("a/sheet.csv", "b/sheet.csv")
		w.must(os.RemoveAll(w.path("a")))
		w.start()
		w.reports("ready a 3, ready b 2")
	})
}
