package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// watcher is a daemon with a trigger `t` on a folder; each event has a dispatch that
// says kind and name.
type watcher struct {
	*victim
	dir string
	all []string // that has happened
}

func newWatcher(t *testing.T, fields map[string]any) *watcher {
	t.Helper()
	v := newVictim(t)
	w := &watcher{victim: v, dir: v.folder("in")}
	v.start()
	v.storeLattice("note", map[string]any{"what": map[string]any{"type": "string"}}, map[string]any{"run": []string{"true"}})
	if fields != nil {
		w.watch(fields)
	}
	return w
}

// watch registers the trigger.
func (w *watcher) watch(fields map[string]any) {
	w.t.Helper()
	spec := map[string]any{
		"name": "t", "kind": "directory", "lattice": "note", "dir_path": w.dir, "settle": "200ms",
		"event_names": []string{"created", "deleted", "ready"}, "inputs": map[string]any{"what": "${{ event.kind + ' ' + event.rel }}"},
	}
	for k, v := range fields {
		spec[k] = v
	}
	w.add(spec)
}

// shows waits until the trigger is in a state, for a reason that has a part.
func (w *watcher) shows(state, part string) {
	w.t.Helper()
	var got struct{ State, Reason string }
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(50 * time.Millisecond) {
		w.call(http.MethodGet, "/triggers/t", nil, &got)
		if got.State == state && strings.Contains(got.Reason, part) {
			return
		}
	}
	w.t.Fatalf("the trigger is %s: %q, not %s: %q", got.State, got.Reason, state, part)
}

// tells waits until what has happened more was dispatched, and looks that it was
// nothing else.
func (w *watcher) tells(more ...string) {
	w.t.Helper()
	w.all = append(w.all, more...)
	slices.Sort(w.all)
	var got []string
	for begun := time.Now(); time.Since(begun) < time.Minute && len(got) < len(w.all); time.Sleep(50 * time.Millisecond) {
		got = w.of("t")
	}
	slices.Sort(got)
	if !slices.Equal(got, w.all) {
		w.t.Fatalf("it told\n%s\nbut there was\n%s", strings.Join(got, "\n"), strings.Join(w.all, "\n"))
	}
}

// ends looks, after a last file, that nothing was told too much, and stops the daemon.
func (w *watcher) ends() {
	w.t.Helper()
	w.write("the end")
	w.tells(came("the end")...)
	w.stop()
}

func (w *watcher) write(names ...string) {
	w.t.Helper()
	for _, n := range names {
		lay(w.t, filepath.Join(w.dir, n), n)
	}
}

// came is what is told of new files.
func came(names ...string) (told []string) {
	for _, n := range names {
		told = append(told, "created "+n, "ready "+n)
	}
	return told
}

func (w *watcher) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// again kills the daemon and starts it.
func (w *watcher) again() {
	w.t.Helper()
	w.kill()
	w.start()
}

// Pain points 13 and 16.
func TestMounts_a_root_that_goes_comes_back_or_is_another_one_loses_and_doubles_nothing(t *testing.T) {
	for _, how := range []string{"while_it_runs", "while_it_is_killed"} {
		t.Run(how, func(t *testing.T) {
			w := newWatcher(t, nil)
			w.watch(nil)
			meanwhile := func(do func()) {
				if how == "while_it_is_killed" {
					w.kill()
					defer w.start()
				}
				do()
			}
			away := w.dir + ".away"
			w.write("a", "b")
			w.tells(came("a", "b")...)
			meanwhile(func() { w.must(os.RemoveAll(w.dir)) })
			w.shows("failing", "is missing")
			meanwhile(func() { w.write("c") })
			w.shows("active", "")
			w.tells(append(came("c"), "deleted a", "deleted b")...)
			meanwhile(func() {
				w.must(os.Rename(w.dir, away))
				w.write("d")
			})
			w.tells(append(came("d"), "deleted c")...)
			w.must(os.RemoveAll(away))
			meanwhile(func() { w.must(os.Rename(w.dir, away)) })
			w.shows("failing", "is missing")
			lay(t, filepath.Join(away, "e"), "e")
			meanwhile(func() { w.must(os.Rename(away, w.dir)) })
			w.shows("active", "")
			w.tells(came("e")...)
			w.ends()
		})
	}
}

// An unmounted root is not an empty one: nothing was deleted.
func TestMounts_a_root_that_is_unmounted_and_mounted_with_the_same_or_with_other_content(t *testing.T) {
	w := newWatcher(t, nil)
	one, two := w.tmpfs("one", "8m"), w.tmpfs("two", "8m")
	bind := func(from string) { mount(t, w.dir, "--bind", from) }
	off := func() { w.must(exec.Command("umount", "-l", w.dir).Run()) }
	bind(one)
	w.watch(map[string]any{"mode": "both"}) // nobody tells when something is mounted: it is found by looking
	w.write("a", "b")
	w.tells(came("a", "b")...)
	for _, again := range []func(){func() {}, w.again} {
		off()
		again()
		w.shows("degraded", "is it mounted?")
		bind(one)
		again()
		w.shows("active", "")
	}
	lay(t, filepath.Join(two, "x"), "x")
	off()
	bind(two)
	w.shows("degraded", "is it mounted?")
	w.tells(came("x")...)
	w.write("y")
	w.tells(came("y")...)
	off()
	bind(one)
	w.must(os.Remove(filepath.Join(w.dir, "a"))) // that one is gone indeed
	w.write("c")
	w.tells(append(came("c"), "deleted a")...)
	w.ends()
}

// tmpfs makes a small file system.
func (v *victim) tmpfs(name, size string) string {
	v.t.Helper()
	dir := v.folder(name)
	mount(v.t, dir, "-t", "tmpfs", "-o", "size="+size, "lab")
	return dir
}

// mount mounts something at a folder, until the test ends.
func mount(t *testing.T, at string, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", append(args, at)...).CombinedOutput(); err != nil {
		cannot(t, "mount: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", at).Run() })
}

// cannot ends a test that needs more than this machine or user has: skipped for
// everybody to see, and failed where all has to be tested.
func cannot(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
