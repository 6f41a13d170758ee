package directory

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// told lists the events as "kind rel", and "(src)" for moves, sorted.
func (w *world) told() string {
	w.Helper()
	var out []string
	for _, e := range w.events() {
		var p struct {
			Rel string `json:"rel"`
			Src string `json:"src_path"`
		}
		w.must(json.Unmarshal(e.Payload, &p))
		s := e.Kind + " " + p.Rel
		if p.Src != "" {
			s += " (" + strings.TrimPrefix(p.Src, w.dir+"/") + ")"
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// tells waits for exactly these events, in any order.
func (w *world) tells(want string) {
	w.Helper()
	eventually(w, "events", w.told, want)
}

// put writes a file and makes the folders above it.
func (w *world) put(name, content string) {
	w.Helper()
	w.mkdir(filepath.Dir(w.path(name)))
	w.write(name, content)
}

func (w *world) rename(from, to string) {
	w.Helper()
	w.must(os.Rename(w.path(from), w.path(to)))
}

func TestTree(t *testing.T) {
	t.Run("names_are_relative_to_the_root", func(t *testing.T) {
		w := newWorld(t)
		w.mkdir(w.path("a/b"))
		w.add(`,"recursive":true,"event_names":["closed"],"settle":"1h"`)
		w.write("a/b/x.tif", "1")
		w.tells("closed a/b/x.tif")
		var p map[string]any
		w.must(json.Unmarshal(w.events()[0].Payload, &p))
		want := map[string]any{"path": w.path("a/b/x.tif"), "dir": w.path("a/b"), "name": "x.tif", "stem": "x", "ext": ".tif", "rel": "a/b/x.tif"}
		for k, v := range want {
			if p[k] != v {
				t.Errorf("%s is %v, want %v", k, p[k], v)
			}
		}
	})

	t.Run("folders_that_appear_are_looked_into_at_once", func(t *testing.T) {
		for _, names := range []string{`"closed"`, `"ready"`, `"created"`} {
			w := newWorld(t)
			w.add(`,"recursive":true,"event_names":[` + names + `],"settle":"100ms"`)
			w.put("run/lane/tile/1.dat", "1")
			kind := strings.Trim(names, `"`)
			w.tells(kind + " run/lane/tile/1.dat")
			w.put("run/lane/tile/2.dat", "1")
			w.put("run/other/3.dat", "1")
			w.tells(kind + " run/lane/tile/1.dat, " + kind + " run/lane/tile/2.dat, " + kind + " run/other/3.dat")
			w.stop()
		}
	})

	t.Run("without_recursive_folders_are_left_alone", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed","deleted"],"settle":"100ms"`)
		w.put("sub/x.dat", "1")
		w.put("y.dat", "1")
		w.tells("closed y.dat")
	})

	t.Run("what_was_there_is_known_and_what_came_meanwhile_is_found", func(t *testing.T) {
		w := newWorld(t)
		w.put("a/old.dat", "1")
		w.put("a/b/gone.dat", "1")
		w.put("c/changed.dat", "1")
		w.add(`,"recursive":true,"event_names":["created","modified","deleted","moved","ready"],"settle":"100ms"`)
		w.stop()
		w.must(os.RemoveAll(w.path("a/b")))
		w.put("d/e/new.dat", "1")
		w.put("c/changed.dat", "12")
		w.rename("a", "z")
		w.start()
		w.tells("created d/e/new.dat, deleted a/b/gone.dat, modified c/changed.dat, moved z/old.dat (a/old.dat), ready c/changed.dat, ready d/e/new.dat")
	})

	t.Run("a_folder_that_vanishes_drops_what_was_in_it", func(t *testing.T) {
		w := newWorld(t)
		w.put("a/b/1.dat", "1")
		w.put("a/2.dat", "1")
		w.add(`,"recursive":true,"event_names":["deleted","closed"],"settle":"1h"`)
		w.must(os.RemoveAll(w.path("a")))
		w.tells("deleted a/2.dat, deleted a/b/1.dat")
		w.put("a/b/1.dat", "12")
		w.revise(`{"settle":"100ms"}`)
		w.tells("closed a/b/1.dat, deleted a/2.dat, deleted a/b/1.dat")
		w.must(os.Rename(w.path("a"), w.dir+".out")) // moved out
		w.tells("closed a/b/1.dat, deleted a/2.dat, deleted a/b/1.dat, deleted a/b/1.dat")
	})

	t.Run("a_folder_that_is_moved_moves_what_is_in_it_and_is_watched_there", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"recursive":true,"event_names":["moved","closed","ready","created","deleted"],"settle":"100ms"`)
		w.put("a/b/1.dat", "1")
		first := "closed a/b/1.dat, created a/b/1.dat"
		w.tells(first + ", ready a/b/1.dat")
		w.rename("a", "z")
		w.tells(first + ", moved z/b/1.dat (a/b/1.dat), ready a/b/1.dat")
		w.write("z/b/2.dat", "1")
		w.tells("closed a/b/1.dat, closed z/b/2.dat, created a/b/1.dat, created z/b/2.dat, moved z/b/1.dat (a/b/1.dat), ready a/b/1.dat, ready z/b/2.dat")
		w.rename("z", "a") // and back, and once more
		w.rename("a", "y")
		w.write("y/b/3.dat", "1")
		eventually(w, "moves", func() bool {
			got := w.told()
			return strings.Contains(got, "moved y/b/1.dat (") && strings.Contains(got, "ready y/b/3.dat") && !strings.Contains(got, "deleted")
		}, true)
	})

	t.Run("a_whole_folder_moved_in_is_new", func(t *testing.T) {
		w := newWorld(t)
		outside := w.dir + ".outside"
		w.mkdir(outside + "/deep")
		for i := range 100 {
			w.must(os.WriteFile(fmt.Sprintf("%s/deep/%d", outside, i), []byte("1"), 0o600))
		}
		w.add(`,"recursive":true,"event_names":["created"]`)
		w.must(os.Rename(outside, w.path("in")))
		eventually(w, "events", func() int { return len(w.events()) }, 100)
	})

	t.Run("links_are_never_followed_out", func(t *testing.T) {
		w := newWorld(t)
		outside := t.TempDir()
		w.must(os.WriteFile(outside+"/secret", []byte("1"), 0o600))
		w.put("real/1.dat", "1")
		w.must(os.Symlink(outside, w.path("link")))
		w.must(os.Symlink(outside+"/secret", w.path("real/secret")))
		w.must(os.Symlink(w.dir, w.path("real/circle")))
		w.add(`,"recursive":true,"existing":"fire","event_names":["created"]`)
		w.tells("created real/1.dat")
		// A folder that turns into a link takes what was in it away.
		w.must(os.RemoveAll(w.path("real")))
		w.must(os.Symlink(outside, w.path("real")))
		w.must(os.WriteFile(outside+"/1.dat", []byte("12"), 0o600))
		w.put("end.dat", "1")
		w.tells("created end.dat, created real/1.dat")
	})

	t.Run("excluded_folders_are_not_entered", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"recursive":true,"event_names":["created"],"exclude":["tmp/**","results"]`)
		w.put("tmp/1.dat", "1")
		w.put("tmp/deep/1.dat", "1")
		w.put("run/results/1.dat", "1")
		w.put("run/1.dat", "1")
		w.tells("created run/1.dat")
		p := w.hub.pool(&folder{})
		p.mu.Lock()
		got := p.fsBy
		p.mu.Unlock()
		if got != 2 {
			t.Errorf("%d folders are watched, want the root and run", got)
		}
	})

	// Pain point 19: each of several watched roots with the same names gets its own.
	t.Run("roots_with_the_same_names_do_not_mix", func(t *testing.T) {
		w := newWorld(t)
		w.mkdir(w.path("one/run"))
		w.mkdir(w.path("two/run"))
		for _, name := range []string{"one", "two"} {
			_, _, err := w.manager.Add(t.Context(), fmt.Appendf(nil, `{"name":%q,"kind":"directory","lattice":"show","recursive":true,
				"dir_path":%q,"event_names":["closed"],"inputs":{"path":"${{ event.path }}"}}`, name, w.path(name)), triggers.Principal{})
			w.must(err)
		}
		w.write("one/run/same.dat", "1")
		w.write("two/run/same.dat", "1")
		w.write("two/run/other.dat", "1")
		for name, want := range map[string]int{"one": 1, "two": 2} {
			eventually(w, name, func() int {
				es, _, err := w.store.Events(t.Context(), name, nil, 10, "")
				w.must(err)
				for _, e := range es {
					if !strings.HasPrefix(e.Key, w.path(name)+"/run/") {
						t.Errorf("%s got %s", name, e.Key)
					}
				}
				return len(es)
			}, want)
		}
	})
}

func TestTree_a_folder_that_can_not_be_read_shows_and_the_rest_goes_on(t *testing.T) {
	const without = "LATTICED_TEST_WITHOUT_OVERRIDE"
	if os.Getuid() == 0 && os.Getenv(without) == "" {
		// Nothing is forbidden to root, unless it has given up the capabilities for that.
		cmd := exec.Command("setpriv", "--bounding-set", "-dac_override,-dac_read_search", os.Args[0], "-test.v", "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), without+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	w := newWorld(t)
	w.mkdir(w.path("locked"))
	w.must(os.Chmod(w.path("locked"), 0))
	t.Cleanup(func() { w.must(os.Chmod(w.path("locked"), 0o700)) }) // so that it can be removed
	w.add(`,"recursive":true,"event_names":["closed"]`)
	w.trigger(triggers.Degraded, "permission denied")
	w.put("open/1.dat", "1")
	w.tells("closed open/1.dat")
}

// Pain point 7: fresh run folders of three levels, created at once. None is lost, none
// is doubled.
func TestTree_a_thousand_fresh_run_folders(t *testing.T) {
	for _, kind := range []string{"closed", "ready", "created"} {
		t.Run(kind, func(t *testing.T) {
			const n = 1000
			w := newWorld(t)
			w.add(`,"recursive":true,"event_names":["` + kind + `"],"settle":"300ms"`)
			began := time.Now()
			for i := range n {
				w.put(fmt.Sprintf("run-%04d/lane/tile/data.tif", i), "1")
			}
			eventually(w, "events", func() int { time.Sleep(50 * time.Millisecond); return len(w.events()) }, n)
			t.Logf("%d run folders in %s", n, time.Since(began))
			seen := map[string]bool{}
			for _, e := range w.events() {
				name, _, _ := strings.Cut(e.Key, "#")
				seen[name] = true
			}
			if len(seen) != n {
				t.Errorf("%d files, want %d", len(seen), n)
			}
		})
	}
}
