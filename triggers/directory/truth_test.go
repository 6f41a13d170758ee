package directory

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// truth is a tree with what was ever true of it. Sizes are unique, so a size is a
// version.
type truth struct {
	*rapid.T
	dir   string
	files map[string]int          // size by name
	dirs  []string                // relative; "" is the root
	was   map[int]map[string]bool // the names that a version has had
	again map[int]int             // how often a version may have become news once more
	ever  map[string]bool         // names that something had
	size  int
}

func (m *truth) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *truth) is(name string, size int) {
	if m.was[size] == nil {
		m.was[size] = map[string]bool{}
	}
	m.files[name], m.was[size][name], m.ever[name] = size, true, true
}

func (m *truth) anyName(what string) string {
	dir := rapid.SampledFrom(m.dirs).Draw(m.T, what+" in")
	return path.Join(dir, rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(m.T, what)+".dat")
}

func (m *truth) anyFile() (string, bool) {
	if len(m.files) == 0 {
		return "", false
	}
	return rapid.SampledFrom(sortedKeys(m.files)).Draw(m.T, "file"), true
}

func sortedKeys(files map[string]int) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *truth) write() {
	name := m.anyName("written")
	m.size++
	m.must(os.WriteFile(m.dir+"/"+name, []byte(strings.Repeat("x", m.size)), 0o600))
	m.is(name, m.size)
}

func (m *truth) remove() {
	if name, ok := m.anyFile(); ok {
		m.must(os.Remove(m.dir + "/" + name))
		delete(m.files, name)
	}
}

func (m *truth) renameFile() {
	from, ok := m.anyFile()
	to := m.anyName("to")
	if !ok || from == to {
		return
	}
	m.must(os.Rename(m.dir+"/"+from, m.dir+"/"+to))
	m.moves(from, to)
}

// moves notes another name. If that name was known it has another content now, which is
// news, also when what was there before was gone already but nobody had looked.
func (m *truth) moves(from, to string) {
	size := m.files[from]
	if m.ever[to] {
		m.again[size]++
	}
	delete(m.files, from)
	m.is(to, size)
}

func (m *truth) mkdir() {
	dir := path.Join(rapid.SampledFrom(m.dirs).Draw(m.T, "folder in"), fmt.Sprint(rapid.IntRange(0, 3).Draw(m.T, "folder")))
	if !slices.Contains(m.dirs, dir) && strings.Count(dir, "/") < 3 {
		m.must(os.Mkdir(m.dir+"/"+dir, 0o700))
		m.dirs = append(m.dirs, dir)
	}
}

func (m *truth) renameDir() {
	from := rapid.SampledFrom(m.dirs).Draw(m.T, "folder from")
	to := path.Join(rapid.SampledFrom(m.dirs).Draw(m.T, "folder to"), fmt.Sprint(rapid.IntRange(4, 6).Draw(m.T, "named")))
	if from == "" || slices.Contains(m.dirs, to) || to == from || strings.HasPrefix(to, from+"/") {
		return
	}
	m.must(os.Rename(m.dir+"/"+from, m.dir+"/"+to))
	for i, dir := range m.dirs {
		if dir == from || strings.HasPrefix(dir, from+"/") {
			m.dirs[i] = to + dir[len(from):]
		}
	}
	for _, name := range sortedKeys(m.files) {
		if strings.HasPrefix(name, from+"/") {
			m.moves(name, to+name[len(from):])
		}
	}
}

func (m *truth) removeDir() {
	dir := rapid.SampledFrom(m.dirs).Draw(m.T, "folder removed")
	if dir == "" {
		return
	}
	m.must(os.RemoveAll(m.dir + "/" + dir))
	m.dirs = slices.DeleteFunc(m.dirs, func(d string) bool { return d == dir || strings.HasPrefix(d, dir+"/") })
	for _, name := range sortedKeys(m.files) {
		if strings.HasPrefix(name, dir+"/") {
			delete(m.files, name)
		}
	}
}

// check compares what was told with what was true.
func (m *truth) check(l *lone) {
	m.Helper()
	told := map[int]int{}
	for _, e := range l.events {
		var p struct {
			Rel  string
			Size int
		}
		m.must(json.Unmarshal(e.Payload, &p))
		if e.Kind == "ready" {
			told[p.Size]++
		}
		if p.Size != 0 && !m.was[p.Size][p.Rel] {
			m.Fatalf("%s %s of %d bytes was never there", e.Kind, p.Rel, p.Size)
		}
	}
	for name, size := range m.files {
		if n := told[size]; n < 1 || n > 1+m.again[size] {
			m.Fatalf("%s of %d bytes was ready %d times, and again %d times", name, size, n, m.again[size])
		}
	}
	for size, n := range told {
		if n > 1+m.again[size] {
			m.Fatalf("%d bytes were ready %d times", size, n)
		}
	}
	// What is known is what is there, in the version that is there.
	there := map[string]bool{}
	m.must(filepath.WalkDir(m.dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel := name[len(m.dir)+1:]
			there[rel] = true
			c, known := l.entities[rel]
			if s, err := parseStamp(c.Version); !known || err != nil || int(s.size) != m.files[rel] {
				m.Fatalf("%s is known as %q", rel, c.Version)
			}
		}
		return err
	}))
	for name := range l.entities {
		if !there[name] {
			m.Fatalf("%s is known but not there", name)
		}
	}
}

// TestTruth does things to a tree at random while a source watches it, polls it, is
// stopped and started, or loses hints: in the end each version that stayed was
// reported once, and what is known is what is there.
func TestTruth(t *testing.T) {
	base := t.TempDir()
	n := 0
	// Each takes a quarter of a second; -rapid.checks=1000 looks for more.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("30"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = checks.Value.Set(checks.DefValue) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir := fmt.Sprintf("%s/%d", base, n)
		m := &truth{T: rt, dir: dir, files: map[string]int{}, dirs: []string{""}, was: map[int]map[string]bool{}, again: map[int]int{}, ever: map[string]bool{}}
		m.must(os.Mkdir(dir, 0o700))
		h := &hub{linger: 200 * time.Millisecond}
		mode := rapid.SampledFrom([]string{"events", "events", "poll"}).Draw(rt, "mode")
		kinds := rapid.SampledFrom([]string{`"ready"`, `"ready","moved"`, `"ready","closed","created","deleted","modified","moved"`}).Draw(rt, "kinds")
		fields := fmt.Sprintf(`"recursive":true,"event_names":[%s],"settle":"20ms","mode":%q`, kinds, mode)
		l := newLone(t, h, dir, fields)
		defer func() { l.close() }()
		l.run()
		steps := map[string]func(*rapid.T){
			"write":      func(*rapid.T) { m.write() },
			"rewrite":    func(*rapid.T) { m.write() },
			"remove":     func(*rapid.T) { m.remove() },
			"rename":     func(*rapid.T) { m.renameFile() },
			"mkdir":      func(*rapid.T) { m.mkdir() },
			"rename dir": func(*rapid.T) { m.renameDir() },
			"remove dir": func(*rapid.T) { m.removeDir() },
			"run":        func(*rapid.T) { l.run() },
			"wait": func(*rapid.T) {
				time.Sleep(25 * time.Millisecond) // for files to settle
				l.run()
			},
			"look": func(*rapid.T) {
				if w := l.watch(); w != nil {
					w.hints.lose(false)
					w.nextLook = time.Now()
				}
				l.run()
			},
			"restart": func(*rapid.T) { l.close() },
		}
		rt.Repeat(steps)
		l.finish()
		m.check(l)
	})
}

// finish runs the source until there is nothing to wait for.
func (l *lone) finish() {
	l.Helper()
	l.run()
	for range 1000 {
		w := l.watch()
		if w == nil {
			l.Fatal("it does not run")
		}
		if w.mode == modePoll {
			w.nextLook = time.Now()
		}
		l.run()
		if len(w.waits) == 0 && len(w.missing) == 0 && w.hints.waiting() == idle {
			w.nextLook = time.Now() // and nothing was forgotten
			l.run()
			if len(w.waits) == 0 && len(w.missing) == 0 {
				return
			}
		}
		time.Sleep(5 * time.Millisecond) // what is waited for is an instant
	}
	l.Fatal("it does not come to rest")
}
