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
