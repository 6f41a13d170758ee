package directory

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/triggers"
)

// lay writes files with the folders that they are in: "path" or "path=content".
func (w *world) lay(files ...string) {
	w.Helper()
	for _, file := range files {
		name, content, given := strings.Cut(file, "=")
		if !given {
			content = "x"
		}
		w.mkdir(filepath.Dir(w.path(name)))
		w.write(name, content)
	}
}

// units lists the events as "kind rel files complete [members]", in order.
func (w *world) units() string {
	w.Helper()
	var out []string
	for _, e := range w.events() {
		var p struct {
			Rel      string
			Files    int
			Size     int
			Complete bool
			Members  []string
		}
		w.must(json.Unmarshal(e.Payload, &p))
		line := fmt.Sprintf("%s %s %d", e.Kind, p.Rel, p.Files)
		if e.Kind == "ready" && !p.Complete {
			line += " incomplete"
		}
		for i, m := range p.Members {
			p.Members[i] = strings.TrimPrefix(m, w.dir+"/")
		}
		if p.Members != nil {
			line += " [" + strings.Join(p.Members, " ") + "]"
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}

func (w *world) reports(want string) {
	w.Helper()
	eventually(w, "events", w.units, want)
}

// stays gives what should not come the time to come.
func (w *world) stays(want string, more time.Duration) {
	w.Helper()
	time.Sleep(more) // there is nothing to wait for
	if got := w.units(); got != want {
		w.Errorf("%s, want %s", got, want)
	}
}

func TestUnits(t *testing.T) {
	// pain point 8
	t.Run("a_folder_is_one_event_once_nothing_in_it_changes", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"2s"`)
		for i := range 8 {
			w.lay(fmt.Sprintf("run/sub/%d.dat=%s", i, strings.Repeat("x", i)))
			time.Sleep(150 * time.Millisecond) // the instrument is slow
		}
		if got := w.units(); got != "" {
			t.Errorf("told while it was written: %s", got)
		}
		w.reports("ready run 8")
		var p struct {
			Path, Name, Kind, Mtime string
			Size                    int
			Complete                bool
		}
		w.must(json.Unmarshal(w.events()[0].Payload, &p))
		if p.Path != w.path("run") || p.Name != "run" || p.Kind != "ready" || p.Size != 28 || !p.Complete || p.Mtime == "" {
			t.Errorf("%+v", p)
		}
	})

	// pain point 10
	t.Run("a_folder_waits_for_its_marker_and_then_for_its_files", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"300ms","marker":{"all":["RTAComplete.txt"]},"include":["*.bcl"]`)
		w.lay("a/L001/1.bcl", "b/RTAComplete.txt", "a/deep/RTAComplete.txt", "c/RTAComplete.txt", "c/1.bcl")
		w.reports("ready c 1")
		w.lay("b/1.bcl") // the marker was copied before the data
		w.reports("ready c 1, ready b 1")
		w.lay("a/RTAComplete.txt")
		w.reports("ready c 1, ready b 1, ready a 1")
	})

	// pain point 11
	t.Run("markers_are_any_of_some_in_any_case", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"100ms","ignore_case":true,"marker":{"any":["RTAComplete.txt","Logs/**/CopyComplete*"]},"include":["*.dat"]`)
		w.lay("a/1.dat", "a/rtacomplete.TXT")
		w.reports("ready a 1")
		w.lay("b/1.dat", "b/logs/x/copycomplete.part")
		w.reports("ready a 1, ready b 1")
	})

	// pain point 12
	t.Run("files_that_belong_together_are_one_event", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"200ms","group":{"by":"^fov-(\\d+)\\.","need":["*.json","*.bin"]}`)
		w.lay("fov-1.bin", "other.bin", "fov-2.json", "fov-2.bin=xx", "fov-2.log")
		w.reports("ready fov-2.json 3 [fov-2.json fov-2.bin fov-2.log]")
		e := w.events()[0]
		var p struct{ Group, Path string }
		w.must(json.Unmarshal(e.Payload, &p))
		if p.Group != "2" || p.Path != w.path("fov-2.json") || !strings.HasPrefix(e.Key, p.Path+"#ready@") {
			t.Errorf("%+v %s", p, e.Key)
		}
		w.lay("fov-1.json")
		w.reports("ready fov-2.json 3 [fov-2.json fov-2.bin fov-2.log], ready fov-1.json 2 [fov-1.json fov-1.bin]")
	})

	// pain point 9
	t.Run("what_a_sync_client_still_writes_keeps_a_folder_from_being_ready", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"2s","min_size":1`)
		w.lay("run/a.dat", "run/empty.dat=", "run/.b.dat.Xa12Cd=x")
		for i := range 8 {
			w.lay("run/.b.dat.Xa12Cd=" + strings.Repeat("x", i+2))
			time.Sleep(150 * time.Millisecond) // the network is slow
		}
		if got := w.units(); got != "" {
			t.Errorf("told while it was written: %s", got)
		}
		w.must(os.Rename(w.path("run/.b.dat.Xa12Cd"), w.path("run/b.dat")))
		w.reports("ready run 2")
	})

	t.Run("units_may_be_deeper", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","depth":2,"settle":"200ms"`)
		w.lay("2026/a/x/1.dat", "2026/b/1.dat", "2026/note.txt", "note.txt", "2026/b/2.dat")
		eventually(w, "events", func() int { return len(w.events()) }, 2)
		w.stays(w.units(), 500*time.Millisecond)
	})

	t.Run("folders_are_created_and_deleted_too", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","event_names":["created","ready","deleted"],"settle":"100ms"`)
		w.mkdir(w.path("a/sub")) // an empty one
		w.reports("created a 0")
		w.lay("a/sub/1.dat")
		w.reports("created a 0, ready a 1")
		w.must(os.RemoveAll(w.path("a")))
		w.reports("created a 0, ready a 1, deleted a 0")
		w.lay("a/1.dat")
		eventually(w, "events", func() int { return len(w.events()) }, 5)
	})

	t.Run("a_single_file_waits_for_the_marker_beside_it", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"recursive":true,"settle":"100ms","include":["*.dat"],"marker":{"all":["done.txt"]}`)
		w.lay("x/a.dat", "y/b.dat", "y/done.txt")
		w.reports("ready y/b.dat 1")
		w.lay("x/done.txt")
		w.reports("ready y/b.dat 1, ready x/a.dat 1")
		w.lay("x/c.dat")
		w.reports("ready y/b.dat 1, ready x/a.dat 1, ready x/c.dat 1")
	})

	t.Run("a_folder_waits_for_a_number_of_files", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"100ms","expect":{"count":3}`)
		w.lay("a/1", "a/2", "b/1", "b/2", "b/3")
		w.reports("ready b 3")
		w.lay("a/3")
		w.reports("ready b 3, ready a 3")
	})

	t.Run("a_folder_waits_for_what_its_manifest_lists", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"150ms","expect":{"manifest":"MD5SUMS"},"exclude":["*.log","MD5SUMS"]`)
		w.lay("a/1.bam", "a/MD5SUMS="+strings.Repeat("0", 32)+"  1.bam\n"+strings.Repeat("0", 32)+" *sub/2.bam\n# run.log\nrun.log\n", "b/1.bam", "c/1.bam", "c/MD5SUMS=../a/1.bam\n")
		w.stays("", 600*time.Millisecond)
		w.lay("a/sub/2.bam")
		w.reports("ready a 2")
		w.lay("b/MD5SUMS=1.bam\n")
		w.reports("ready a 2, ready b 1")
	})

	t.Run("what_is_there_already_has_no_event_unless_it_becomes_complete_later", func(t *testing.T) {
		w := newWorld(t)
		w.lay("old/1.dat", "old/done", "begun/1.dat")
		old := time.Now().Add(-time.Hour)
		w.must(os.Chtimes(w.path("old/1.dat"), old, old))
		w.add(`,"unit":"folder","settle":"0s","marker":{"all":["done"]},"deadline":"10s"`)
		w.lay("begun/done", "old/2.dat")
		w.reports("ready begun 2")
		w.lay("new/1.dat", "new/done")
		w.reports("ready begun 2, ready new 2")
		w.stop()
		w.lay("later/1.dat", "later/done")
		w.start()
		w.reports("ready begun 2, ready new 2, ready later 2")
	})

	t.Run("what_is_there_already_fires_when_asked", func(t *testing.T) {
		w := newWorld(t)
		w.lay("a/1.dat", "b/1.dat")
		w.add(`,"unit":"folder","settle":"100ms","existing":"fire"`)
		w.reports("ready a 1, ready b 1")
	})

	t.Run("a_folder_fires_once_and_a_set_for_each_version", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"100ms"`)
		w.lay("a/1.dat")
		w.reports("ready a 1")
		w.lay("a/2.dat", "b/1.dat")
		w.reports("ready a 1, ready b 1")

		v := newWorld(t)
		v.add(`,"settle":"100ms","group":{"by":"^(\\d)\\.","need":["*.a","*.b"]}`)
		v.lay("1.a", "1.b")
		v.reports("ready 1.a 2 [1.a 1.b]")
		v.lay("1.b=other")
		v.reports("ready 1.a 2 [1.a 1.b], ready 1.a 2 [1.a 1.b]")
		v.must(os.Remove(v.path("1.a"))) // that files go is no news
		v.stop()
		v.start()
		v.lay("2.a", "2.b")
		v.reports("ready 1.a 2 [1.a 1.b], ready 1.a 2 [1.a 1.b], ready 2.a 2 [2.a 2.b]")
	})
}

func TestUnits_deadline(t *testing.T) {
	t.Run("people_are_warned_that_what_fired_incomplete_does_not_fire_again", func(t *testing.T) {
		for fields, want := range map[string]bool{
			`,"unit":"folder","deadline":"1h","on_deadline":"fire"`:                    true,
			`,"unit":"folder","deadline":"1h","on_deadline":"fire","refire":"version"`: false,
			`,"unit":"folder","deadline":"1h"`:                                         false,
			`,"group":{"by":"(.)"},"deadline":"1h","on_deadline":"fire"`:               false,
		} {
			w := newWorld(t)
			warned := false
			for _, warning := range w.considered(fields).Warnings {
				warned = warned || warning.Code == "fires_incomplete"
			}
			if warned != want {
				t.Errorf("%s: %v", fields, warned)
			}
		}
	})

	// pain point 12: a set that stays incomplete is told, not forgotten
	t.Run("an_incomplete_set_fires_when_asked", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"100ms","group":{"by":"^(\\d)\\.","need":["*.a","*.b"]},"deadline":"1s","on_deadline":"fire"`)
		w.lay("1.a")
		w.reports("ready 1.a 1 incomplete [1.a]")
		eventually(w, "dispatches", w.dispatches, 1)
		w.lay("1.b")
		w.reports("ready 1.a 1 incomplete [1.a], ready 1.a 2 [1.a 1.b]")
	})

	t.Run("an_incomplete_folder_is_held_until_it_is_complete_even_over_a_restart", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"unit":"folder","settle":"100ms","marker":{"all":["done"]},"deadline":"2s"`)
		w.lay("a/1.dat")
		began := time.Now()
		eventually(w, "the unit is stored", func() bool {
			tr, err := w.store.Trigger(t.Context(), "t")
			w.must(err)
			_, known, err := w.store.Entity(t.Context(), tr.ID, []byte(unitPrefix+"a"))
			w.must(err)
			return known
		}, true)
		w.stop()
		w.start()
		w.reports("ready a 1 incomplete")
		if d := time.Since(began); d < 1900*time.Millisecond {
			t.Errorf("after %s", d)
		}
		held := w.events()[0]
		eventually(w, "state", func() string { return string(w.events()[0].State) + " " + w.events()[0].Reason }, "held incomplete")
		w.stop()
		w.start()
		w.lay("a/2.dat", "a/done")
		w.reports("ready a 3")
		eventually(w, "dispatches", w.dispatches, 1)
		if e := w.events()[0]; e.ID != held.ID || e.State != triggers.EventFired {
			t.Errorf("%+v", e)
		}
	})
}

// pain point 7
func TestUnits_of_1000_fresh_run_folders_at_once(t *testing.T) {
	const n = 1000
	w := newWorld(t)
	w.add(`,"unit":"folder","settle":"500ms","marker":{"all":["done.txt"]}`)
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part; i < n; i += 4 {
				run := fmt.Sprintf("run-%04d", i)
				if i%2 == 0 {
					w.lay(run + "/done.txt")
				}
				w.lay(run+"/L001/C1/1.dat", run+"/L001/C2/2.dat", run+"/done.txt")
			}
		})
	}
	wg.Wait()
	eventually(w, "dispatches", w.dispatches, n)
	time.Sleep(time.Second) // no more may come
	seen := map[string]bool{}
	for _, e := range w.events() {
		var p struct {
			Rel   string
			Files int
		}
		w.must(json.Unmarshal(e.Payload, &p))
		if seen[p.Rel] || p.Files != 3 {
			t.Errorf("%s: %d files, seen %v", p.Rel, p.Files, seen[p.Rel])
		}
		seen[p.Rel] = true
	}
	if len(seen) != n {
		t.Errorf("%d units", len(seen))
	}
}

// What can't be read is not known to be complete.
func TestUnits_with_a_part_that_can_not_be_read_are_not_complete(t *testing.T) {
	w := newWorld(t)
	w.add(`,"unit":"folder","settle":"100ms"`)
	w.mkdir(w.path("run"))
	fd, err := unix.Open(w.path("run"), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	w.must(err)
	for range 20 { // deeper than a path may be long
		name := strings.Repeat("d", 250)
		w.must(unix.Mkdirat(fd, name, 0o700))
		next, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		w.must(err)
		w.must(unix.Close(fd))
		fd = next
	}
	w.must(unix.Close(fd))
	w.lay("run/1.dat", "other/1.dat")
	w.reports("ready other 1")
	w.trigger(triggers.Degraded, "1 name can't be looked at")
	eventually(w, "explanation", func() string { return strings.ReplaceAll(w.explains("run"), w.dir, "IN") }, "waiting: 1 name in it can't be looked at [run]")
	w.stays("ready other 1", 300*time.Millisecond)
	w.must(os.RemoveAll(w.path("run/" + strings.Repeat("d", 250))))
	w.reports("ready other 1, ready run 1")
}
