package directory

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// explains asks how a path stands with the trigger: "state: detail [unit]".
func (w *world) explains(rel string) string {
	w.Helper()
	es, err := w.manager.Explain(w.Context(), w.path(rel), "t")
	w.must(err)
	f := es[0].Finding
	s := f.State + ": " + f.Detail
	if f.Unit != "" {
		s += " [" + strings.TrimPrefix(f.Unit, w.dir+"/") + "]"
	}
	return s
}

func (w *world) explained(want map[string]string) {
	w.Helper()
	for rel, s := range want {
		if got := strings.ReplaceAll(w.explains(rel), w.dir, "IN"); got != s {
			w.Errorf("%s is %s\nwant %s", rel, got, s)
		}
	}
}

func TestCovers(t *testing.T) {
	tree := &source{config: config{path: "/in", recursive: true}}
	flat := &source{config: config{path: "/in"}}
	root := &source{config: config{path: "/", recursive: true}}
	for p, want := range map[string][3]bool{
		"/in": {true, true, true}, "/in/a": {true, true, true}, "/in/a/b": {true, false, true}, "/in/../x": {false, false, true},
		"/inn": {false, false, true}, "/": {false, false, true}, "/in/a/": {true, true, true},
	} {
		if got := [3]bool{tree.Covers(p), flat.Covers(p), root.Covers(p)}; got != want {
			t.Errorf("%s: %v", p, got)
		}
	}
}

func TestExplain(t *testing.T) {
	// pain points 13 and 43: people see why a file did or did not run
	t.Run("a_file", func(t *testing.T) {
		w := newWorld(t)
		w.lay("old.tif")
		w.add(`,"settle":"300ms","exclude":["*.log"],"min_size":"1B"`)
		w.lay("new.tif", "x.log", "small.tif=")
		w.reports("ready new.tif 0 incomplete")
		w.stop()
		w.lay("late.tif")
		w.must(os.Symlink(t.TempDir(), w.path("link")))
		w.start()
		w.reports("ready new.tif 0 incomplete, ready late.tif 0 incomplete")
		w.explained(map[string]string{
			"old.tif":   "existing: existing: was there before the trigger",
			"new.tif":   "reported: reported already",
			"late.tif":  "reported: reported already",
			"x.log":     `ignored: exclude "*.log"`,
			"small.tif": "ignored: smaller than min_size 1 byte",
			"none.tif":  "absent: it is not there",
			"link":      "ignored: not a regular file",
		})
		es, err := w.manager.Explain(t.Context(), w.path("new.tif"), "")
		w.must(err)
		f := es[0].Finding
		if len(es) != 1 || len(es[0].Events) != 1 || f.FirstSeen.IsZero() || f.LastChange.IsZero() || time.Since(f.FirstSeen) > time.Minute {
			t.Errorf("%+v", es)
		}
		if es, err := w.manager.Explain(t.Context(), "/elsewhere", ""); err != nil || len(es) != 0 {
			t.Error(es, err)
		}
	})

	t.Run("what_is_behind_a_link", func(t *testing.T) {
		w := newWorld(t)
		outside := t.TempDir()
		w.must(os.WriteFile(outside+"/a.tif", nil, 0o600))
		w.must(os.Symlink(outside, w.path("link")))
		w.add(`,"recursive":true`)
		w.explained(map[string]string{"link/a.tif": "ignored: behind a symbolic link; links are not followed"})
	})

	t.Run("a_file_that_is_written", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"1h"`)
		w.lay("a.tif")
		if got := w.explains("a.tif"); !strings.HasPrefix(got, "settling: unchanged for ") || !strings.HasSuffix(got, " of 1h") {
			t.Error(got)
		}
		es, err := w.manager.Explain(t.Context(), w.path("a.tif"), "t")
		w.must(err)
		f := es[0].Finding
		if d := time.Until(f.Until); d < 55*time.Minute || d > time.Hour {
			t.Error(d)
		}
		first := func() time.Time {
			es, err := w.manager.Explain(t.Context(), w.path("a.tif"), "t")
			w.must(err)
			return es[0].Finding.FirstSeen
		}
		eventually(w, "it was seen", func() bool { return !first().IsZero() }, true)
		seen := first()
		w.stop()
		w.start()
		if again := first(); !again.Equal(seen) || time.Since(seen) > time.Minute {
			t.Error(seen, again)
		}
	})

	t.Run("a_file_that_was_seen_and_is_not_stored_yet", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"29s"`)
		w.lay("a.tif")
		eventually(w, "it was seen", func() bool {
			es, err := w.manager.Explain(t.Context(), w.path("a.tif"), "t")
			w.must(err)
			return time.Since(es[0].Finding.FirstSeen) < time.Minute && es[0].Finding.State == triggers.FindingSettling
		}, true)
	})

	t.Run("a_file_that_was_too_small_when_it_was_looked_at", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"50ms","min_size":"2B"`)
		w.lay("small.tif", "end.tif=xx")
		w.reports("ready end.tif 0 incomplete")
		eventually(w, "small.tif", func() string { return w.explains("small.tif") }, "ignored: smaller than min_size 2 bytes")
		w.revise(`{"min_size":"0B"}`)
		eventually(w, "small.tif", func() string { return w.explains("small.tif") }, "existing: existing: was known before the trigger asked for it, or was too small then; counts once it changes")
	})

	t.Run("a_file_among_more_than_are_looked_at", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"1h","group":{"by":"^(\\d+)\\.","need":["*.json","*.bin"]}`)
		w.lay("1.json", "2.json", "3.json")
		w.hub.probed = 2
		if got := w.explains("3.json"); !strings.HasPrefix(got, "waiting: waits for *.bin of set 3 (only the first 2 names") {
			t.Error(got)
		}
	})

	t.Run("a_run_folder_and_what_is_in_it", func(t *testing.T) {
		w := newWorld(t)
		w.lay("old/1.dat")
		w.add(`,"unit":"folder","settle":"200ms","marker":{"all":["RTAComplete.txt"]},"exclude":["*.log"],"deadline":"1h"`)
		w.lay("a/1.dat", "a/RTAComplete.txt", "b/x/1.dat", "b/run.log")
		w.reports("ready a 2")
		waits := "waiting: waits for RTAComplete.txt; is held at its deadline in 1h [b]"
		w.explained(map[string]string{
			"a":         "reported: reported already [a]",
			"a/1.dat":   "reported: reported already [a]",
			"b":         waits,
			"b/x/1.dat": waits,
			"b/x":       waits,
			"b/run.log": `ignored: exclude "*.log" [b]`,
			"b/none":    "absent: it is not there [b]",
			"c":         "absent: it is not there",
			"old":       "existing: existing: was there before the trigger (waits for RTAComplete.txt) [old]",
		})
		w.must(os.WriteFile(w.path("note.txt"), nil, 0o600))
		if got := w.explains("note.txt"); got != "ignored: not inside a folder at depth 1" {
			t.Error(got)
		}
		es, err := w.manager.Explain(t.Context(), w.path("a/1.dat"), "t")
		w.must(err)
		if f := es[0].Finding; len(es[0].Events) != 1 || f.FirstSeen.IsZero() || f.LastChange.IsZero() {
			t.Errorf("%+v", es)
		}
	})

	t.Run("a_member_of_a_set", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"100ms","group":{"by":"^(\\d+)\\.","need":["*.json","*.bin"]}`)
		w.lay("16.json", "16.bin", "17.json", "x.bin")
		w.reports("ready 16.json 2 [16.json 16.bin]")
		w.explained(map[string]string{
			"16.bin":  "reported: reported already [16.json]",
			"17.json": "waiting: waits for *.bin of set 17 [17.json]",
			"x.bin":   "ignored: does not match group.by",
		})
	})

	t.Run("a_single_file_trigger", func(t *testing.T) {
		w := newWorld(t)
		w.lay("one.dat", "two.dat")
		folder := w.dir
		w.dir += "/one.dat"
		w.add(`,"settle":"100ms"`)
		w.dir = folder
		w.explained(map[string]string{"one.dat": "existing: existing: was there before the trigger"})
		es, err := w.manager.Explain(t.Context(), w.path("two.dat"), "")
		w.must(err)
		if len(es) != 0 {
			t.Error(es)
		}
	})
}
