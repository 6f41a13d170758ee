package directory

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

func TestDirectory(t *testing.T) {
	t.Run("a_closed_file_fires_at_once", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"],"settle":"1h"`)
		w.write("a.dat", "1")
		w.expect("closed a.dat")
		ds, _, err := w.store.Dispatches(t.Context(), store.DispatchFilter{})
		w.must(err)
		if len(ds) != 1 || string(ds[0].Inputs) != `{"path":"`+w.path("a.dat")+`"}` || ds[0].Status != graph.Pending {
			t.Errorf("%+v", ds)
		}
	})

	t.Run("all_kinds_come_in_order", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["ready","closed","created"],"settle":"200ms"`)
		w.write("a.dat", "1")
		w.expect("created a.dat, closed a.dat, ready a.dat")
	})

	t.Run("what_is_there_already_is_ignored_until_it_changes", func(t *testing.T) {
		w := newWorld(t)
		w.write("old.dat", "1")
		w.add(`,"settle":"1s"`)
		w.write("new.dat", "1")
		w.expect("ready new.dat")
		w.write("old.dat", "12")
		w.expect("ready new.dat, ready old.dat")
	})

	t.Run("what_is_there_already_fires_when_asked", func(t *testing.T) {
		w := newWorld(t)
		w.write("old.dat", "1")
		w.add(`,"settle":"100ms","existing":"fire","event_names":["created","ready"]`)
		w.expect("created old.dat, ready old.dat")
	})

	t.Run("what_one_look_finds_comes_in_the_order_of_names", func(t *testing.T) {
		w := newWorld(t)
		want := make([]string, 60)
		for i := range want {
			name := fmt.Sprintf("scan-%02d.dat", i)
			w.write(name, "1")
			want[i] = name
		}
		w.add(`,"settle":"50ms","existing":"fire"`)
		w.expect("ready " + strings.Join(want, ", ready "))
	})

	// Pain point 8: half a file is not ready.
	t.Run("a_slow_writer_fires_once_when_ready", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"2s"`)
		f, err := os.Create(w.path("slow.dat"))
		w.must(err)
		for range 8 {
			_, err := f.WriteString("x")
			w.must(err)
			time.Sleep(400 * time.Millisecond) // the writer is slow
		}
		if got := w.seen(); got != "" {
			t.Errorf("fired while written: %s", got)
		}
		w.must(f.Close())
		w.expect("ready slow.dat")
		var p struct{ Size int }
		w.must(json.Unmarshal(w.events()[0].Payload, &p))
		if p.Size != 8 {
			t.Errorf("fired at %d bytes", p.Size)
		}
	})

	t.Run("a_writer_that_closes_and_opens_again_is_ready_once_and_closed_each_time", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"3s","event_names":["closed","ready"]`)
		w.write("a.dat", "1")
		w.expect("closed a.dat")
		f, err := os.OpenFile(w.path("a.dat"), os.O_APPEND|os.O_WRONLY, 0)
		w.must(err)
		_, err = f.WriteString("2")
		w.must(err)
		w.must(f.Close())
		w.expect("closed a.dat, closed a.dat, ready a.dat")
	})

	t.Run("a_rename_into_place_is_one_file", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"],"exclude":["*.part",".*"],"settle":"1h"`)
		w.write("a.dat.part", "1")
		w.must(os.Rename(w.path("a.dat.part"), w.path("a.dat")))
		w.write(".hidden", "1")
		w.write("b.dat", "1")
		w.expect("closed a.dat, closed b.dat")
	})

	// Pain point 18: attributes and reads are not news.
	t.Run("attributes_and_reads_are_not_events", func(t *testing.T) {
		w := newWorld(t)
		w.hub.interval = 50 * time.Millisecond
		w.add(`,"event_names":["closed","ready"],"settle":"50ms"`)
		w.write("a.dat", "1")
		w.expect("closed a.dat, ready a.dat")
		w.must(os.Chmod(w.path("a.dat"), 0o600))
		w.must(os.Link(w.path("a.dat"), w.dir+"/../link"))
		_, err := os.ReadFile(w.path("a.dat"))
		w.must(err)
		w.write("b.dat", "1")
		w.expect("closed a.dat, ready a.dat, closed b.dat, ready b.dat")
	})

	t.Run("only_regular_files_count", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["created","closed","ready"],"settle":"100ms"`)
		w.mkdir(w.path("folder"))
		outside := t.TempDir() + "/secret"
		w.must(os.WriteFile(outside, []byte("x"), 0o600))
		w.must(os.Symlink(outside, w.path("link")))
		w.must(exec.Command("mkfifo", w.path("pipe")).Run())
		w.write("a.dat", "1")
		w.expect("created a.dat, closed a.dat, ready a.dat")
	})

	t.Run("too_small_files_wait_for_more", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"min_size":2,"settle":"100ms","include":["*.dat"]`)
		w.write("a.dat", "1")
		w.write("b.dat", "12")
		w.write("c.txt", "12")
		w.expect("ready b.dat")
		w.write("a.dat", "12")
		w.expect("ready b.dat, ready a.dat")
	})

	t.Run("a_single_file_may_be_watched_and_replaced", func(t *testing.T) {
		w := newWorld(t)
		folder := w.dir
		w.write("one.dat", "1")
		w.dir += "/one.dat"
		w.add(`,"event_names":["closed"]`)
		w.dir = folder
		w.write("other.dat", "1")
		w.write("one.dat", "12")
		w.expect("closed one.dat")
		w.write("tmp", "123")
		w.must(os.Rename(w.path("tmp"), w.path("one.dat")))
		w.expect("closed one.dat, closed one.dat")
		w.must(os.Remove(w.path("one.dat")))
		w.write("one.dat", "1234")
		w.expect("closed one.dat, closed one.dat, closed one.dat")
		w.trigger(triggers.Active, "")
	})

	// Pain point 13: what arrived while the program was down is found.
	t.Run("files_that_came_while_nobody_watched_are_found", func(t *testing.T) {
		w := newWorld(t)
		w.write("changed.dat", "1")
		w.write("gone.dat", "1")
		w.add(`,"settle":"100ms","event_names":["closed","ready"]`)
		w.stop()
		w.write("changed.dat", "12")
		w.write("new.dat", "1")
		w.must(os.Remove(w.path("gone.dat")))
		w.start()
		eventually(w, "events", func() int { return len(w.events()) }, 4)
		w.write("gone.dat", "back")
		eventually(w, "events", func() int { return len(w.events()) }, 6)
	})

	t.Run("an_edit_of_rules_keeps_the_inventory_and_of_the_place_takes_a_new_one", func(t *testing.T) {
		w := newWorld(t)
		w.write("old.dat", "1")
		w.add(`,"event_names":["closed"]`)
		w.revise(`{"labels":{"a":"b"},"settle":"100ms"}`)
		w.write("a.dat", "1")
		w.expect("closed a.dat")
		other := t.TempDir()
		w.must(os.WriteFile(other+"/there.dat", []byte("1"), 0o600))
		w.revise(`{"dir_path":"` + other + `"}`)
		w.write("unseen.dat", "1")
		w.dir = other
		w.write("b.dat", "1")
		w.expect("closed a.dat, closed b.dat")
	})

	t.Run("two_triggers_on_one_folder_see_their_own_events", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"]`)
		link := t.TempDir() + "/link"
		w.must(os.Symlink(w.dir, link))
		_, _, err := w.manager.Add(t.Context(), []byte(`{"name":"u","kind":"directory","lattice":"show","dir_path":"`+link+`","event_names":["created"]}`), triggers.Principal{})
		w.must(err)
		w.write("a.dat", "1")
		w.expect("closed a.dat")
		eventually(w, "events of the other", func() int {
			es, _, err := w.store.Events(t.Context(), "u", nil, 10, "")
			w.must(err)
			return len(es)
		}, 1)
		w.must(w.manager.Remove(t.Context(), "u"))
		w.write("b.dat", "1")
		w.expect("closed a.dat, closed b.dat")
	})
}

func TestDirectory_names_are_bytes(t *testing.T) {
	w := newWorld(t)
	w.add(`,"event_names":["closed"],"inputs":{"path":"${{ event.path ?? event.path_b64 }}"}`)
	names := []string{
		"with space", `quote"s and 'more'`, "$(touch x)", "`id`", "new\nline", "-rf", "--", "*", "[a", `back\slash`, "ü.dat", "日本",
		"tab\t", "…", "a#closed@1", strings.Repeat("n", 255), "\x01control", "caf\xe9", "\xff\xfe",
	}
	for _, name := range names {
		w.write(name, "x")
	}
	eventually(w, "events", func() int { return len(w.events()) }, len(names))
	got := map[string]bool{}
	for _, e := range w.events() {
		if e.State != triggers.EventFired {
			t.Errorf("%s is %s: %s", e.Key, e.State, e.Reason)
		}
		var p struct {
			Path string `json:"path"`
			B64  []byte `json:"path_b64"`
		}
		w.must(json.Unmarshal(e.Payload, &p))
		got[strings.TrimPrefix(p.Path+string(p.B64), w.dir+"/")] = true
	}
	for _, name := range names {
		if !got[name] {
			t.Errorf("no event for %q", name)
		}
	}
}

func TestDirectory_a_path_that_is_not_text_is_rejected_with_the_reason(t *testing.T) {
	w := newWorld(t)
	w.add(`,"event_names":["closed"]`)
	w.write("caf\xe9", "x")
	eventually(w, "events", func() int { return len(w.events()) }, 1)
	e := w.events()[0]
	if e.State != triggers.EventRejected || !strings.Contains(e.Reason, "path_b64") {
		t.Errorf("%s: %s", e.State, e.Reason)
	}
}
