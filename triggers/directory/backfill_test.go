package directory

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

func (w *world) backfill(r triggers.Range, dry bool) triggers.Backfilled {
	w.Helper()
	b, err := w.manager.Backfill(w.Context(), "t", r, 0, dry, triggers.Principal{Name: "ada"})
	w.must(err)
	return b
}

func TestBackfill(t *testing.T) {
	t.Run("existing_files_fire_once", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a.tif", "sub/b.tif", "sub/c.tif", "d.log")
		w.must(os.Chtimes(w.path("sub/c.tif"), time.Unix(1e9, 0), time.Unix(1e9, 0)))
		w.add(`,"recursive":true,"settle":"100ms","exclude":["*.log"]`)
		w.lay("new.tif")
		w.reports("ready new.tif 0 incomplete")
		if b := w.backfill(triggers.Range{}, true); b != (triggers.Backfilled{Found: 4, Known: 1, Emitted: 3}) {
			t.Errorf("%+v", b)
		}
		if b := w.backfill(triggers.Range{Path: w.path("sub"), Until: time.Unix(1e9+1, 0)}, false); b != (triggers.Backfilled{Found: 1, Emitted: 1}) {
			t.Errorf("%+v", b)
		}
		if b := w.backfill(triggers.Range{}, false); b != (triggers.Backfilled{Found: 4, Known: 2, Emitted: 2}) {
			t.Errorf("%+v", b)
		}
		if b := w.backfill(triggers.Range{}, false); b != (triggers.Backfilled{Found: 4, Known: 4}) {
			t.Errorf("%+v", b)
		}
		eventually(w, "dispatches", w.dispatches, 4)
		var p struct{ Backfill bool }
		w.must(json.Unmarshal(w.events()[3].Payload, &p))
		if !p.Backfill {
			t.Error("it does not say that it is of a backfill")
		}
		w.write("a.tif", "changed")
		eventually(w, "dispatches", w.dispatches, 5)
	})

	t.Run("files_written_just_before_the_trigger_came_are_waited_for", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a.tif", "b.tif", "c.tif")
		w.add(`,"settle":"500ms"`)
		w.write("b.tif", "more") // this one the watch tells of
		if b := w.backfill(triggers.Range{}, false); b.Emitted < 2 {
			t.Errorf("%+v", b)
		}
		eventually(w, "dispatches", w.dispatches, 3)
		if b := w.backfill(triggers.Range{}, true); b != (triggers.Backfilled{Found: 3, Known: 3}) {
			t.Errorf("%+v", b)
		}
	})

	t.Run("existing_folders_fire_when_they_are_complete", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a/1.dat", "a/done", "b/1.dat", "c/1.dat", "c/done")
		time.Sleep(150 * time.Millisecond) // they are quiet by now
		w.add(`,"unit":"folder","settle":"100ms","marker":{"all":["done"]}`)
		if b := w.backfill(triggers.Range{Path: w.path("a/1.dat")}, false); b != (triggers.Backfilled{Found: 1, Emitted: 1}) {
			t.Errorf("%+v", b)
		}
		w.reports("ready a 2")
		w.lay("new/1.dat", "new/done")
		w.reports("ready a 2, ready new 2")
		w.lay("new/2.dat") // refire is never
		time.Sleep(150 * time.Millisecond)
		if b := w.backfill(triggers.Range{}, false); b != (triggers.Backfilled{Found: 3, Known: 2, Emitted: 1}) {
			t.Errorf("%+v", b)
		}
		w.reports("ready a 2, ready new 2, ready c 2")
		w.lay("b/done")
		w.reports("ready a 2, ready new 2, ready c 2, ready b 2")
	})

	// pain points 27 and 28: what was handled is not an event again
	t.Run("files_that_were_handled_do_not_fire_again_after_a_chmod_or_a_rename", func(t *testing.T) {
		w := newWorld(t)
		w.lay("old.tif", "old2.tif")
		w.add(`,"settle":"50ms"`)
		w.lay("a.tif", "b.tif")
		w.reports("ready a.tif 0 incomplete, ready b.tif 0 incomplete")
		time.Sleep(100 * time.Millisecond) // all are quiet
		if b := w.backfill(triggers.Range{}, false); b != (triggers.Backfilled{Found: 4, Known: 2, Emitted: 2}) {
			t.Errorf("%+v", b)
		}
		w.must(os.Chmod(w.path("a.tif"), 0o600))
		w.must(os.Link(w.path("old.tif"), w.dir+".backup"))
		w.rename("b.tif", "c.tif")
		w.rename("old2.tif", "old3.tif")
		eventually(w, "the rename is known", func() bool {
			tr, err := w.store.Trigger(t.Context(), "t")
			w.must(err)
			_, c, err := w.store.Entity(t.Context(), tr.ID, []byte("c.tif"))
			w.must(err)
			_, old, err := w.store.Entity(t.Context(), tr.ID, []byte("old3.tif"))
			w.must(err)
			return c && old
		}, true)
		time.Sleep(100 * time.Millisecond) // all are quiet
		if b := w.backfill(triggers.Range{}, true); b != (triggers.Backfilled{Found: 4, Known: 4}) {
			t.Errorf("%+v", b)
		}
		w.write("c.tif", "changed")
		w.reports("ready a.tif 0 incomplete, ready b.tif 0 incomplete, ready old.tif 0 incomplete, ready old2.tif 0 incomplete, ready c.tif 0 incomplete")
		if b := w.backfill(triggers.Range{}, true); b != (triggers.Backfilled{Found: 4, Known: 4}) {
			t.Errorf("%+v", b)
		}
	})

	t.Run("a_wrong_date_of_a_camera_does_not_keep_a_file_out", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a.tif", "run/1.dat")
		future := time.Now().Add(1000 * time.Hour)
		w.must(os.Chtimes(w.path("a.tif"), future, future))
		w.must(os.Chtimes(w.path("run/1.dat"), future, future))
		time.Sleep(150 * time.Millisecond) // they are quiet
		w.add(`,"settle":"100ms"`)
		if b := w.backfill(triggers.Range{}, true); b.Found != 1 { // at once
			t.Errorf("%+v", b)
		}
		w.revise(`{"unit":"folder"}`)
		if b := w.backfill(triggers.Range{}, true); b.Found != 1 {
			t.Errorf("%+v", b)
		}
	})

	t.Run("a_folder_fires_once_though_files_of_it_are_deleted_between_two_backfills", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a/1.dat", "a/2.dat")
		time.Sleep(150 * time.Millisecond) // they are quiet
		w.add(`,"unit":"folder","settle":"100ms"`)
		if b := w.backfill(triggers.Range{}, false); b != (triggers.Backfilled{Found: 1, Emitted: 1}) {
			t.Errorf("%+v", b)
		}
		w.must(os.Remove(w.path("a/1.dat")))
		if b := w.backfill(triggers.Range{}, false); b != (triggers.Backfilled{Found: 1, Known: 1}) {
			t.Errorf("%+v", b)
		}
		w.reports("ready a 2")
	})

	t.Run("what_is_still_written_is_left_to_the_watch", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a.tif")
		w.add(`,"settle":"1h"`)
		if b := w.backfill(triggers.Range{}, true); b.Found != 0 {
			t.Errorf("%+v", b)
		}
	})

	t.Run("a_place_outside_is_refused", func(t *testing.T) {
		w := newWorld(t)
		w.add("")
		_, err := w.manager.Backfill(t.Context(), "t", triggers.Range{Path: "/elsewhere"}, 0, true, triggers.Principal{})
		if err == nil {
			t.Error("not refused")
		}
	})
}
