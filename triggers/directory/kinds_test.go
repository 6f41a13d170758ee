package directory

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const allKinds = `,"event_names":["created","deleted","modified","moved","closed","ready"],"settle":"200ms"`

// TestKinds does one thing to a folder with the handled file old.dat and says which
// events follow, of all kinds.
func TestKinds(t *testing.T) {
	tests := []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"a_new_file", func(w *world) { w.write("a.dat", "1") }, "closed a.dat, created a.dat, ready a.dat"},
		{"a_changed_file", func(w *world) { w.write("old.dat", "12") }, "closed old.dat, modified old.dat, ready old.dat"},
		{"a_removed_file", func(w *world) { w.must(os.Remove(w.path("old.dat"))) }, "deleted old.dat"},
		// Pain point 15: a rename of a handled file does not fire again.
		{"a_renamed_file", func(w *world) { w.rename("old.dat", "new.dat") }, "moved new.dat (old.dat)"},
		{"a_file_renamed_into_a_folder", func(w *world) { w.mkdir(w.path("d")); w.rename("old.dat", "d/old.dat") }, "moved d/old.dat (old.dat)"},
		{"a_file_moved_out", func(w *world) { w.must(os.Rename(w.path("old.dat"), w.dir+".out")) }, "deleted old.dat"},
		{"a_file_moved_in", func(w *world) {
			w.must(os.WriteFile(w.dir+".in", []byte("1"), 0o600))
			w.must(os.Rename(w.dir+".in", w.path("in.dat")))
		}, "closed in.dat, created in.dat, ready in.dat"},
		{
			"a_file_renamed_over_another", func(w *world) { w.rename("other.dat", "old.dat") },
			"closed old.dat, modified old.dat, moved old.dat (other.dat), ready old.dat",
		},
		{"a_file_saved_by_renaming_a_draft_over_it", func(w *world) {
			w.write("old.dat.tmp", "123")
			w.rename("old.dat.tmp", "old.dat")
		}, "closed old.dat, modified old.dat, ready old.dat"},
		{"a_file_renamed_to_a_name_that_does_not_count", func(w *world) { w.rename("old.dat", "old.dat.tmp") }, "deleted old.dat"},
		// Pain point 18: attributes and reads are not news.
		{"attributes_and_reads", func(w *world) {
			w.must(os.Chmod(w.path("old.dat"), 0o600))
			w.must(os.Chtimes(w.path("old.dat"), time.Now(), time.Time{}))
			_, err := os.ReadFile(w.path("old.dat"))
			w.must(err)
		}, ""},
		{"a_hard_link_is_a_new_name", func(w *world) { w.must(os.Link(w.path("old.dat"), w.path("link.dat"))) }, "closed link.dat, created link.dat, ready link.dat"},
		{"two_files_that_change_places", func(w *world) {
			w.rename("old.dat", "x")
			w.rename("other.dat", "old.dat")
			w.rename("x", "other.dat")
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write("old.dat", "1")
			w.write("other.dat", "123")
			w.hub.linger = 3 * time.Second // to find both names of what was renamed
			w.add(allKinds + `,"recursive":true`)
			tt.do(w)
			if tt.name == "two_files_that_change_places" {
				w.swapped()
				return
			}
			w.write("end", "1") // nothing more comes after this
			w.tells(strings.TrimPrefix(sorted(tt.want, "closed end, created end, ready end"), ", "))
		})
	}
}

// swapped waits until both names are known to have moved, or to have changed: that
// depends on when they were looked at.
func (w *world) swapped() {
	w.Helper()
	eventually(w, "events", func() bool {
		got := w.told()
		return (strings.Contains(got, "ready old.dat") || strings.Contains(got, "moved old.dat")) &&
			(strings.Contains(got, "ready other.dat") || strings.Contains(got, "moved other.dat"))
	}, true)
	if got := w.told(); strings.Contains(got, "created") || strings.Contains(got, "deleted") {
		w.Errorf("%s", got)
	}
}

func TestMoved(t *testing.T) {
	t.Run("to_and_fro_does_not_fire", func(t *testing.T) {
		w := newWorld(t)
		w.write("a.dat", "1")
		w.add(`,"event_names":["closed","ready","created","deleted"],"settle":"50ms"`)
		w.rename("a.dat", "b.dat")
		w.rename("b.dat", "a.dat")
		w.write("end", "1")
		w.tells("closed end, created end, ready end")
	})

	t.Run("a_file_that_settles_goes_on_settling_under_its_new_name", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"settle":"6s"`)
		w.write("a.dat", "1")
		w.until(4 * time.Second)
		began := time.Now()
		w.rename("a.dat", "b.dat")
		w.tells("ready b.dat")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it settled anew: %s", took)
		}
	})

	// Pain point 15 again: logs are renamed to make room for the next one.
	t.Run("a_name_that_is_used_again_at_once_does_not_hide_the_move", func(t *testing.T) {
		for _, mode := range []string{"events", "poll"} {
			w := newWorld(t)
			w.hub.interval = 50 * time.Millisecond
			w.add(`,"event_names":["ready","moved"],"settle":"500ms","mode":"` + mode + `"`)
			w.write("log", "1")
			w.tells("ready log")
			w.rename("log", "log.1")
			w.write("log", "22")
			w.tells("moved log.1 (log), ready log, ready log")
			w.stop()
			w.rename("log", "log.2")
			w.write("log", "333")
			w.start()
			w.tells("moved log.1 (log), moved log.2 (log), ready log, ready log, ready log")
			w.stop()
		}
	})

	t.Run("what_moved_while_nobody_watched_is_known", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"recursive":true,"event_names":["ready","moved","created","deleted"],"settle":"100ms"`)
		w.put("a/1.dat", "1")
		w.tells("created a/1.dat, ready a/1.dat")
		w.stop()
		w.mkdir(w.path("b"))
		w.rename("a/1.dat", "b/2.dat")
		w.start()
		w.tells("created a/1.dat, moved b/2.dat (a/1.dat), ready a/1.dat")
	})

	t.Run("what_moved_unseen_by_hints_is_known", func(t *testing.T) {
		w := newWorld(t)
		w.hub.interval = 50 * time.Millisecond
		w.add(`,"mode":"poll","recursive":true,"event_names":["ready","moved","created","deleted"],"settle":"100ms"`)
		w.put("a/1.dat", "1")
		w.tells("created a/1.dat, ready a/1.dat")
		w.rename("a", "b")
		w.tells("created a/1.dat, moved b/1.dat (a/1.dat), ready a/1.dat")
	})

	// Pain point 15: the hint with both names may come late, or not at all.
	t.Run("a_file_that_was_renamed_and_written_to_is_not_a_new_one", func(t *testing.T) {
		w := newWorld(t)
		l := w.lone(`"event_names":["closed","moved"],"refire":"never","settle":"0s"`)
		defer l.close()
		l.run()
		w.write("a", "1")
		l.finish()
		w.rename("a", "b")
		w.write("b", "12")
		l.watch().hints.take()
		l.finish()
		if got := l.told(); got != "closed "+w.path("a")+", moved "+w.path("b") {
			t.Error(got)
		}
		if data := string(l.entities["b"].Data); strings.Contains(data, `"key"`) {
			t.Errorf("the old event stands for the new content: %s", data)
		}
		w.until(20 * time.Millisecond) // the clock of files ticks
		w.must(os.Remove(w.path("b")))
		w.write("c", "123") // may get the inode
		l.watch().hints.take()
		l.finish()
		if got := l.told(); got != "closed "+w.path("a")+", closed "+w.path("c")+", moved "+w.path("b") {
			t.Error(got)
		}
	})

	t.Run("a_removed_and_rewritten_file_is_new", func(t *testing.T) {
		w := newWorld(t)
		w.write("a.dat", "1")
		w.add(`,"event_names":["created","deleted","modified"]`)
		w.must(os.Remove(w.path("a.dat")))
		w.tells("deleted a.dat")
		w.write("a.dat", "1")
		w.tells("created a.dat, deleted a.dat")
	})
}

func TestRefire(t *testing.T) {
	t.Run("never_means_once_for_a_path_that_stays", func(t *testing.T) {
		w := newWorld(t)
		w.write("there.dat", "1")
		w.add(`,"event_names":["closed","modified"],"refire":"never","settle":"50ms"`)
		w.write("a.dat", "1")
		w.tells("closed a.dat")
		w.write("a.dat", "12")
		w.tells("closed a.dat, modified a.dat")
		w.stop()
		w.write("a.dat", "123")
		w.start()
		w.tells("closed a.dat, modified a.dat, modified a.dat")
		w.write("there.dat", "12") // was never reported
		w.tells("closed a.dat, closed there.dat, modified a.dat, modified a.dat, modified there.dat")
		w.rename("a.dat", "b.dat") // handled is handled
		w.write("b.dat", "1234")
		w.tells("closed a.dat, closed there.dat, modified a.dat, modified a.dat, modified b.dat, modified there.dat")
	})

	t.Run("version_means_once_for_each_content", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"],"refire":"version"`)
		w.write("a.dat", "1")
		w.tells("closed a.dat")
		w.write("a.dat", "12")
		w.tells("closed a.dat, closed a.dat")
	})
}

func TestModified_a_file_that_grows_is_reported_at_a_pace(t *testing.T) {
	w := newWorld(t)
	w.write("log", "1")
	w.add(`,"event_names":["modified"]`)
	f, err := os.OpenFile(w.path("log"), os.O_APPEND|os.O_WRONLY, 0)
	w.must(err)
	began := time.Now()
	for range 100 {
		_, err := f.WriteString("x")
		w.must(err)
		w.until(25 * time.Millisecond)
	}
	took := time.Since(began)
	w.must(f.Close())
	eventually(w, "the last version", func() bool {
		es := w.events()
		return len(es) > 0 && strings.Contains(string(es[len(es)-1].Payload), `"size":101`)
	}, true)
	if n := len(w.events()); n > int(took/pace)+2 {
		t.Errorf("%d events in %s", n, took)
	}
}

// until lets time pass for a writer that is slow.
func (w *world) until(d time.Duration) {
	select {
	case <-w.Context().Done():
	case <-time.After(d):
	}
}

// sorted joins lists of events and sorts them.
func sorted(lists ...string) string {
	all := strings.Split(strings.Join(lists, ", "), ", ")
	var out []string
	for _, s := range all {
		if s != "" {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
