package directory

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// mount makes a small file system at a folder of the tree, which can be put aside and
// back with all that is in it.
type mount struct {
	*world
	at, aside string
}

func (w *world) mount(name string) mount {
	w.Helper()
	m := mount{w, w.path(name), w.dir + ".aside"}
	w.mkdir(m.at)
	w.mkdir(m.aside)
	if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "lab", m.aside).Run(); err != nil {
		noMount(w.T, err)
	}
	w.Cleanup(func() { _ = exec.Command("umount", "-l", m.aside).Run() })
	m.on()
	w.Cleanup(func() { _ = exec.Command("umount", "-l", m.at).Run() })
	return m
}

func (m mount) on()  { m.must(exec.Command("mount", "--bind", m.aside, m.at).Run()) }
func (m mount) off() { m.must(exec.Command("umount", "-l", m.at).Run()) }

func TestMount(t *testing.T) {
	t.Run("a_file_system_below_the_root_is_crossed_and_an_unmounted_one_is_not_empty", func(t *testing.T) {
		w := newWorld(t)
		m := w.mount("nas")
		w.hub.interval = 100 * time.Millisecond
		w.put("nas/a/old.dat", "1")
		w.put("old.dat", "1")
		w.add(`,"recursive":true,"event_names":["closed","deleted","created","moved"],"settle":"1h"`)
		w.write("nas/a/1.dat", "1")
		first := "closed nas/a/1.dat, created nas/a/1.dat"
		w.tells(first)
		m.off()
		w.trigger(triggers.Degraded, "2 files known from a file system that is not there")
		w.put("2.dat", "1") // the rest goes on
		w.tells(sorted(first, "closed 2.dat, created 2.dat"))
		w.must(os.Remove(w.path("old.dat")))
		w.tells(sorted(first, "closed 2.dat, created 2.dat, deleted old.dat"))
		m.on()
		w.trigger(triggers.Active, "")
		w.must(os.Remove(w.path("nas/a/old.dat")))
		w.write("nas/a/3.dat", "1")
		w.tells(sorted(first, "closed 2.dat, created 2.dat, deleted old.dat, deleted nas/a/old.dat, closed nas/a/3.dat, created nas/a/3.dat"))
	})

	t.Run("that_a_file_system_was_unmounted_is_seen_at_once_and_soon_that_it_is_back", func(t *testing.T) {
		for _, below := range []string{"", "/nas"} {
			w := newWorld(t)
			at := w.dir + below
			w.mkdir(at)
			if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "lab", at).Run(); err != nil {
				noMount(t, err)
			}
			t.Cleanup(func() { _ = exec.Command("umount", "-l", at).Run() })
			w.add(`,"recursive":true,"settle":"100ms"`)
			w.must(os.WriteFile(at+"/1.dat", []byte("1"), 0o644))
			w.expect("ready 1.dat")
			w.must(exec.Command("umount", at).Run())
			w.trigger(triggers.Degraded, "")
			w.must(exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "lab", at).Run())
			w.must(os.WriteFile(at+"/2.dat", []byte("1"), 0o644))
			w.expect("ready 1.dat, ready 2.dat") // while it is missing, it is soon looked whether it is back
		}
	})

	t.Run("what_was_missed_before_it_was_unmounted_is_away_like_the_rest", func(t *testing.T) {
		w := newWorld(t)
		m := w.mount("nas")
		w.put("nas/a/1.dat", "1")
		w.put("nas/a/2.dat", "1")
		l := w.lone(`"recursive":true,"event_names":["created","deleted"]`)
		defer l.close()
		l.run()
		m.off()
		x := l.watch()
		x.hints.add(hint{name: "nas/a/1.dat"})
		for range 4 { // it is looked for, then the folder it was in
			x.hints.lose(true)
			l.run()
			if l.state != triggers.Degraded || x.away != 2 {
				t.Errorf("%s: %s", l.state, l.reason)
			}
			for i := range x.missing {
				x.missing[i].due = time.Now()
			}
			l.run()
			if l.state != triggers.Degraded || x.away != 2 {
				t.Errorf("once it was waited for long enough: %s, %d away", l.state, x.away)
			}
		}
		if got := l.told(); got != "" {
			t.Errorf("told %q", got)
		}
	})

	t.Run("a_folder_of_the_same_file_system_that_is_mounted_there_and_goes_away_is_not_empty", func(t *testing.T) {
		w := newWorld(t)
		m := mount{w, w.path("nas"), w.dir + ".aside"}
		w.mkdir(m.at)
		w.mkdir(m.aside + "/a")
		if err := exec.Command("mount", "--bind", m.aside, m.at).Run(); err != nil {
			noMount(t, err)
		}
		t.Cleanup(func() { _ = exec.Command("umount", "-l", m.at).Run() })
		w.hub.interval = 100 * time.Millisecond
		w.put("nas/a/1.dat", "1")
		w.put("nas/2.dat", "1")
		w.add(`,"recursive":true,"event_names":["deleted","created"]`)
		m.off()
		w.trigger(triggers.Degraded, "2 files known from a file system that is not there")
		w.put("nas/3.dat", "1")
		w.tells("created nas/3.dat")
		m.on()
		w.trigger(triggers.Degraded, "1 file known") // what it hides now
		w.must(os.Remove(w.path("nas/a/1.dat")))
		w.tells("created nas/3.dat, deleted nas/a/1.dat")
	})

	t.Run("also_over_a_restart", func(t *testing.T) {
		w := newWorld(t)
		m := w.mount("nas")
		w.put("nas/a/old.dat", "1")
		w.add(`,"recursive":true,"event_names":["deleted","created"]`)
		w.stop()
		m.off()
		w.start()
		w.trigger(triggers.Degraded, "1 file known from a file system")
		w.stop()
		m.on()
		w.start()
		w.trigger(triggers.Active, "")
		w.put("nas/end", "1")
		w.tells("created nas/end")
	})

	t.Run("a_file_system_mounted_over_a_folder_hides_but_does_not_delete", func(t *testing.T) {
		w := newWorld(t)
		w.put("nas/mine.dat", "1")
		w.hub.interval = 100 * time.Millisecond
		w.add(`,"recursive":true,"event_names":["deleted","created"]`)
		m := w.mount("nas")
		w.put("nas/theirs.dat", "1")
		w.tells("created nas/theirs.dat")
		w.trigger(triggers.Degraded, "1 file known from a file system")
		m.off()
		w.put("end", "1")
		w.tells("created end, created nas/theirs.dat")
	})

	t.Run("a_glance_finds_what_was_mounted_over_a_folder", func(t *testing.T) {
		w := newWorld(t)
		w.mkdir(w.path("nas"))
		s := w.lone(`"recursive":true,"event_names":["created"],"settle":"0s"`)
		defer s.close()
		s.run()
		m := w.mount("nas")
		w.put("nas/1.dat", "1")
		s.run()
		if got := s.told(); got != "" {
			t.Errorf("without a hint it told %s", got)
		}
		s.watch().nextGlance = time.Now()
		s.run()
		if got := s.told(); got != "created "+m.at+"/1.dat" {
			t.Errorf("told %q", got)
		}
		s.watch().hints.take()
		w.put("new/2.dat", "1")
		s.watch().hints.take() // lost
		s.watch().nextGlance = time.Now()
		s.run()
		if got := s.told(); got != "created "+m.at+"/1.dat, created "+w.path("new/2.dat") {
			t.Errorf("told %q", got)
		}
	})
}
