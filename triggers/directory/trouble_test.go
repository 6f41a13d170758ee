package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestTrouble(t *testing.T) {
	// Pain points 16 and 20: a folder that is gone shows, and is watched again.
	t.Run("a_removed_folder_shows_and_is_watched_again", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"]`)
		w.write("a.dat", "1")
		w.expect("closed a.dat")
		w.must(os.RemoveAll(w.dir))
		w.trigger(triggers.Failing, w.dir+" is missing")
		w.mkdir(w.dir)
		w.write("early.dat", "1") // before it is watched: found by looking, once quiet
		w.revise(`{"settle":"100ms"}`)
		w.trigger(triggers.Active, "")
		w.write("b.dat", "1")
		eventually(w, "events", func() int { return len(w.events()) }, 3)
		w.hub.check(t, 1)
	})

	t.Run("a_folder_that_is_moved_away_and_replaced_is_watched_again", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed","created"],"settle":"1h"`)
		w.write("a.dat", "1")
		w.expect("created a.dat, closed a.dat")
		w.must(os.Rename(w.dir, w.dir+".old"))
		w.mkdir(w.dir)
		w.trigger(triggers.Active, "")
		eventually(w, "hints", func() bool {
			w.write("b.dat", "12")
			return strings.Contains(w.seen(), "closed b.dat")
		}, true)
		w.must(os.WriteFile(w.dir+".old/c.dat", []byte("1"), 0o600)) // not ours any more
		w.write("a.dat", "123")
		eventually(w, "hints", func() bool { return strings.HasSuffix(w.seen(), "created a.dat, closed a.dat") }, true)
		if strings.Contains(w.seen(), "c.dat") {
			t.Error(w.seen())
		}
	})

	// Pain point 6: an error of one look is not the end of looking.
	t.Run("a_file_in_place_of_the_folder_shows", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"]`)
		w.must(os.Remove(w.dir))
		w.must(os.WriteFile(w.dir, nil, 0o600))
		w.trigger(triggers.Failing, "not a folder")
		w.must(os.Remove(w.dir))
		w.mkdir(w.dir)
		w.trigger(triggers.Active, "")
		w.write("a.dat", "1")
		w.expect("closed a.dat")
	})

	t.Run("a_pipe_in_place_of_the_folder_shows_and_stops_nobody", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"]`)
		w.must(os.Remove(w.dir))
		w.must(syscall.Mkfifo(w.dir, 0o600))
		w.trigger(triggers.Failing, "not a folder")
		w.must(os.Remove(w.dir))
		w.mkdir(w.dir)
		w.trigger(triggers.Active, "")
	})

	t.Run("a_folder_gone_while_nobody_watched_keeps_its_inventory", func(t *testing.T) {
		w := newWorld(t)
		w.write("old.dat", "1")
		w.add(`,"settle":"100ms"`)
		w.stop()
		w.must(os.Rename(w.dir, w.dir+".away"))
		w.start()
		w.trigger(triggers.Failing, "")
		w.must(os.Rename(w.dir+".away", w.dir))
		w.trigger(triggers.Active, "")
		w.write("new.dat", "1")
		w.expect("ready new.dat")
	})

	t.Run("a_folder_that_is_not_mounted_is_not_an_empty_one", func(t *testing.T) {
		w := newWorld(t)
		if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "lab", w.dir).Run(); err != nil {
			noMount(t, err)
		}
		w.hub.interval = 100 * time.Millisecond
		w.write("old.dat", "1")
		aside := w.dir + ".aside" // keeps the file system while it is not in its place
		w.mkdir(aside)
		w.must(exec.Command("mount", "--bind", w.dir, aside).Run())
		defer func() { w.must(exec.Command("umount", "-l", aside).Run()) }()
		w.add(`,"settle":"100ms"`)
		w.must(exec.Command("umount", "-l", w.dir).Run())
		w.trigger(triggers.Degraded, "mounted")
		w.must(exec.Command("mount", "--bind", aside, w.dir).Run())
		defer func() { w.must(exec.Command("umount", "-l", w.dir).Run()) }()
		w.trigger(triggers.Active, "")
		w.write("new.dat", "1")
		w.expect("ready new.dat")
	})

	t.Run("without_hints_it_polls_and_names_the_sysctl", func(t *testing.T) {
		w := newWorld(t)
		w.hub.refuse = func(string) error { return syscall.ENOSPC }
		w.hub.interval = 50 * time.Millisecond
		w.add(`,"event_names":["closed"],"settle":"50ms"`)
		w.trigger(triggers.Degraded, "sysctl fs.inotify.max_user_watches=")
		w.write("a.dat", "1")
		w.expect("closed a.dat")
	})

	// Pain point 4: where hints do not come, looking finds files.
	t.Run("lost_hints_are_made_up_for_by_looking", func(t *testing.T) {
		for _, mode := range []string{"poll", "both", "auto"} {
			w := newWorld(t)
			w.hub.interval = 50 * time.Millisecond
			w.add(`,"settle":"50ms","mode":"` + mode + `"`)
			for i := range 5 {
				w.write(fmt.Sprint(i), "1")
			}
			eventually(w, mode, func() int { return len(w.events()) }, 5)
			w.stop()
		}
	})

	// Pain points 1 and 2: after an overflow nothing is lost, and hints go on.
	t.Run("an_overflow_of_the_queue_loses_nothing", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"],"settle":"1s"`)
		raw, _ := w.hub.descriptors()
		// As long as its reader waits, the kernel's queue fills up and overflows.
		raw.mu.Lock()
		const files, rounds = 100, 200
		for size := 1; size <= rounds; size++ {
			for i := range files {
				w.write(fmt.Sprint(i), strings.Repeat("x", size))
			}
		}
		raw.mu.Unlock()
		eventually(w, "files whose last version was reported", func() int {
			last := 0
			for _, e := range w.events() {
				var p struct{ Size int }
				w.must(json.Unmarshal(e.Payload, &p))
				if p.Size == rounds {
					last++
				}
			}
			return last
		}, files)
	})
}

// check fails unless n watches are held.
func (h *hub) check(t *testing.T, n int) {
	t.Helper()
	p := h.pool(&folder{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := p.rawBy; got != n {
		t.Errorf("%d watches, want %d", got, n)
	}
}

func TestTroubleWith_says_what_to_do(t *testing.T) {
	for err, want := range map[error]string{
		fs.ErrNotExist:      "/in is missing",
		syscall.EACCES:      "permission denied; give the user",
		syscall.ESTALE:      "mount it again",
		syscall.ELOOP:       "circles",
		syscall.ENOTDIR:     "above it",
		syscall.EIO:         "/in can't be read: input/output error",
		errors.New("other"): "/in can't be read: other",
	} {
		if got := troubleWith("/in", &os.PathError{Op: "open", Path: "/in", Err: err}); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func TestTrusts(t *testing.T) {
	is := func(dev, ino, mount uint64) *folder { return &folder{identity: identity{dev, ino, mount}} }
	tests := []struct {
		name            string
		known           int
		d               *folder
		before          *folder
		evidence, empty bool
		want            bool
	}{
		{"the_same_folder", 1, is(1, 2, 0), nil, false, true, true},
		{"another_file_system", 1, is(9, 2, 0), nil, false, false, false},
		{"another_device_number_with_our_files", 1, is(9, 2, 0), nil, true, false, true},
		{"nothing_was_known", 0, is(9, 9, 0), nil, false, true, true},
		{"removed_and_made_again", 1, is(1, 3, 7), is(1, 2, 7), false, true, true},
		{"a_bind_mount_went_away", 1, is(1, 3, 8), is(1, 2, 7), false, true, false},
		{"another_folder_after_a_restart_with_files", 1, is(1, 3, 0), nil, false, false, true},
		{"another_folder_after_a_restart_and_empty", 1, is(1, 3, 0), nil, false, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := watch{count: tt.known, cursor: cursor{Dev: 1, Ino: 2}}
			if got := w.trusts(tt.d, tt.before, tt.evidence, tt.empty); got != tt.want {
				t.Errorf("trusts %v", got)
			}
		})
	}
}

// noMount skips what needs a mount where none can be made; where all is checked (CI is
// set) that is a failure.
func noMount(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("nothing can be mounted: %v", err)
	}
	t.Skipf("nothing can be mounted here: %v", err)
}
