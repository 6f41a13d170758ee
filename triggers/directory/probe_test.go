package directory

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/latticed/latticed/triggers"
)

// considered is what a trigger with these fields would do.
func (w *world) considered(fields string) triggers.Preview {
	w.Helper()
	spec := fmt.Sprintf(`{"name":"c","kind":"directory","lattice":"show","dir_path":%q,"inputs":{"path":"${{ event.path }}"}%s}`, w.dir, fields)
	p, err := w.manager.Preview(w.Context(), []byte(spec))
	w.must(err)
	return p
}

// shown writes a preview as lines.
func (w *world) shown(p triggers.Preview) string {
	var out []string
	add := func(format string, args ...any) {
		out = append(out, strings.ReplaceAll(fmt.Sprintf(format, args...), w.dir, "IN"))
	}
	for _, f := range p.WouldFire {
		key, _, _ := strings.Cut(f.Key, "@")
		add("fires %s %s", key, f.Inputs)
	}
	for _, s := range p.Settling {
		why := s.Why
		if strings.HasPrefix(why, "unchanged for") {
			_, of, _ := strings.Cut(why, " of ")
			why = "unchanged for some of " + of
		}
		add("settles %s: %s", s.Key, why)
	}
	for _, i := range p.Ignored {
		add("ignores %s: %s", i.Key, i.Reason)
	}
	if p.AsIfNew {
		add("as if it came now")
	}
	for _, w := range p.Warnings {
		if w.Code != "no_path_format" { // of the inputs, not of the folder
			add("warns %s", w.Code)
		}
	}
	return strings.Join(out, "\n")
}

func (w *world) probes(p triggers.Preview, want ...string) {
	w.Helper()
	if got := w.shown(p); got != strings.Join(want, "\n") {
		w.Errorf("probed\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestProbe(t *testing.T) {
	t.Run("a_trigger_that_is_considered_shows_what_would_fire_and_what_not_and_why", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a.tif", "b.log", "c.txt", "d.tif.part", "small.tif=", "sub/e.tif")
		w.must(exec.Command("mkfifo", w.path("pipe.tif")).Run())
		w.must(os.Symlink("a.tif", w.path("link.tif")))
		fields := `,"include":["*.tif","*.log","*.part"],"exclude":["*.log"],"min_size":"1B","settle":"0s"`
		w.probes(w.considered(fields),
			`fires IN/a.tif#ready {"path":"IN/a.tif"}`,
			`ignores IN/b.log: exclude "*.log"`,
			`ignores IN/c.txt: not in include`,
			`ignores IN/d.tif.part: the name of a file that is not whole yet; "partial": true counts such`,
			`ignores IN/link.tif: not a regular file`,
			`ignores IN/pipe.tif: not a regular file`,
			`ignores IN/small.tif: smaller than min_size 1 byte`,
			`ignores IN/sub: a folder, and recursive is false`,
			`as if it came now`,
			`warns existing_ignored`,
		)
		if _, err := w.store.Trigger(t.Context(), "c"); err == nil {
			t.Error("it was stored")
		}
	})

	t.Run("what_is_not_quiet_settles_and_nothing_may_match", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a.tif", "sub/b.tif")
		w.probes(w.considered(`,"recursive":true,"existing":"fire","settle":"1h","event_names":["created","ready"]`),
			`fires IN/a.tif#created {"path":"IN/a.tif"}`,
			`fires IN/sub/b.tif#created {"path":"IN/sub/b.tif"}`,
			`settles IN/a.tif: unchanged for some of 1h`,
			`settles IN/sub/b.tif: unchanged for some of 1h`,
		)
		w.probes(w.considered(`,"include":["*.nd2"],"exclude":["sub"],"recursive":true`),
			`ignores IN/a.tif: not in include`,
			`ignores IN/sub: exclude "sub" of the folder sub`,
			`warns nothing_matches`,
		)
	})

	// pain point 43: several reasons, one symptom
	t.Run("a_trigger_that_is_there_tells_apart_what_was_there_and_what_was_reported", func(t *testing.T) {
		w := newWorld(t)
		w.lay("old.tif")
		w.add(`,"settle":"300ms"`)
		w.lay("new.tif")
		w.reports("ready new.tif 0 incomplete")
		w.revise(`{"settle":"1h"}`)
		w.lay("young.tif")
		p, err := w.manager.Test(t.Context(), "t")
		w.must(err)
		w.probes(p,
			`settles IN/young.tif: unchanged for some of 1h`,
			`ignores IN/new.tif: reported already`,
			`ignores IN/old.tif: existing: was there before the trigger`,
		)
	})

	t.Run("units_tell_what_they_wait_for", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a/1.dat", "a/done", "b/1.dat", "note.txt")
		w.mkdir(w.path("c"))
		w.probes(w.considered(`,"unit":"folder","settle":"0s","existing":"fire","marker":{"all":["done"]},"expect":{"count":2},"deadline":"1h"`),
			`fires IN/a#ready {"path":"IN/a"}`,
			`settles IN/b: waits for done; 1 of 2 files; is held at its deadline in 1h`,
			`settles IN/c: waits for done; 0 of 2 files; is held at its deadline in 1h`,
			`ignores IN/note.txt: not inside a folder at depth 1`,
		)
		w.probes(w.considered(`,"settle":"0s","existing":"fire","recursive":true,"include":["*.dat","*.txt"],"group":{"by":"^(\\w)/","need":["1*","*.bin"]}`),
			`settles IN/a/1.dat: waits for *.bin of set a`,
			`settles IN/b/1.dat: waits for *.bin of set b`,
			`ignores IN/a/done: not in include`,
			`ignores IN/note.txt: does not match group.by`,
		)
	})

	t.Run("a_single_file_may_be_probed", func(t *testing.T) {
		w := newWorld(t)
		w.lay("one.dat", "two.dat")
		folder := w.dir
		w.dir += "/one.dat"
		p := w.considered(`,"settle":"0s","existing":"fire"`)
		w.dir = folder
		w.probes(p, `fires IN/one.dat#ready {"path":"IN/one.dat"}`)
	})
}

func TestProbe_is_bounded(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.lay(fmt.Sprintf("%d/x.dat", i))
	}
	made, err := triggers.Make(func(f *triggers.Fields) triggers.Made { return w.hub.make(f) }, map[string]any{"dir_path": w.dir, "recursive": true})
	w.must(err)
	s, ok := made.Source.(*source)
	if !ok {
		t.Fatal("not our source")
	}
	c, err := s.census(t.Context(), triggers.From{}, "", nil, 20)
	w.must(err)
	if !c.full || len(c.there) != 20 {
		t.Error(c.full, len(c.there))
	}
}

// A folder that becomes a link while it is looked at must not lead out.
func TestWalk_does_not_follow_a_folder_that_becomes_a_link(t *testing.T) {
	w := newWorld(t)
	outside := t.TempDir()
	w.must(os.WriteFile(outside+"/b", []byte("secret"), 0o600))
	w.lay("sub/a", "sub/b")
	walk := walk{config: &config{path: w.dir, recursive: true}}
	w.must(walk.start())
	walk.visit = func(f found) error {
		if f.rel == "sub/a" {
			w.rename("sub", "elsewhere")
			w.must(os.Symlink(outside, w.path("sub")))
		}
		if f.rel == "sub/b" && f.size != 1 {
			t.Errorf("it looked at the file of %d bytes outside", f.size)
		}
		return nil
	}
	w.must(walk.from(t.Context(), ""))
}
