package dispatcher_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

const imaged = `
lattice: imaged
inputs: {image: {type: string, format: path}}
electrons:
  fit: {run: [x, "${{ inputs.image }}"]}
  other: {bash: "true"}
`

// settled waits until a change of the file can't have the same stamp any more.
func settled(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(info.ModTime().Add(100 * time.Millisecond)))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	at := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// linked makes a folder with a link to the file PATH~, and one that leads nowhere.
func linked(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path+"~", "data")
	link(t, path+"~", filepath.Join(path, "a"))
	link(t, path+"/nowhere", filepath.Join(path, "b"))
}

func TestReuse_looks_at_files(t *testing.T) {
	large := func(t *testing.T, path string) {
		t.Helper()
		write(t, path, "")
		if err := os.Truncate(path, 17<<20); err != nil {
			t.Fatal(err)
		}
	}
	small := func(t *testing.T, path string) { t.Helper(); write(t, path, "data") }
	for _, c := range []struct {
		name   string
		before func(*testing.T, string)
		change func(*testing.T, string)
		want   string
	}{
		{"untouched", small, func(*testing.T, string) {}, "reused: nothing changed since dispatch 1"},
		{"touched", small, touch, "reused: nothing changed since dispatch 1"},
		{"written again", small, small, "reused: nothing changed since dispatch 1"},
		{"replaced by a copy", small, func(t *testing.T, path string) {
			t.Helper()
			write(t, path+"~", "data")
			if err := os.Rename(path+"~", path); err != nil {
				t.Fatal(err)
			}
		}, "reused: nothing changed since dispatch 1"},
		{"changed", small, func(t *testing.T, path string) { t.Helper(); write(t, path, "more data") }, "run: file PATH changed"},
		{"changed in the same length", small, func(t *testing.T, path string) { t.Helper(); write(t, path, "dota") }, "run: file PATH changed"},
		{"missing", small, func(t *testing.T, path string) {
			t.Helper()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "run: file PATH can't be seen by the daemon: no such file or directory"},
		{"large and untouched", large, func(*testing.T, string) {}, "reused: nothing changed since dispatch 1"},
		{"large and touched", large, touch, "run: file PATH was touched, and its content can't be compared: it has more than 16 MiB"},
		{"a fifo", small, func(t *testing.T, path string) {
			t.Helper()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			fifo(t, path)
		}, "run: file PATH is neither a file nor a folder"},
		{"a folder", func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(path, "a"), "a")
		}, func(*testing.T, string) {}, "reused: nothing changed since dispatch 1"},
		{"a folder with another file", func(t *testing.T, path string) {
			t.Helper()
			if err := os.MkdirAll(filepath.Join(path, "deep"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, path string) { t.Helper(); write(t, filepath.Join(path, "deep", "a"), "a") }, "run: folder PATH changed"},
		{"a link to a folder with another file", func(t *testing.T, path string) {
			t.Helper()
			link(t, t.TempDir(), path)
			write(t, filepath.Join(path, "a"), "a")
		}, func(t *testing.T, path string) { t.Helper(); write(t, filepath.Join(path, "b"), "b") }, "run: folder PATH changed"},
		{"a folder of links", linked, func(*testing.T, string) {}, "reused: nothing changed since dispatch 1"},
		{"a folder of links to what changed", linked, func(t *testing.T, path string) {
			t.Helper()
			write(t, path+"~", "dota")
		}, "run: folder PATH changed"},
		{"a folder with a link to a folder", func(t *testing.T, path string) {
			t.Helper()
			linked(t, path)
			link(t, t.TempDir(), filepath.Join(path, "deep"))
		}, func(*testing.T, string) {}, "run: folder PATH has links to other folders, which are not followed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlayer()
			h := newHouse(t, p).start()
			path := filepath.Join(t.TempDir(), "image")
			c.before(t, path)
			settled(t, path)
			first := h.run(imaged, map[string]any{"image": path})
			c.change(t, path)
			plan, err := h.d.PlanRedispatch(t.Context(), first.ID, dispatcher.Request{Reuse: true})
			if err != nil {
				t.Fatal(err)
			}
			g := h.end(h.again(first.ID, dispatcher.Request{}).ID)
			want := strings.ReplaceAll(c.want, "PATH", path)
			h.expectWhy(g.ID, map[string]string{"fit": want, "other": "reused: nothing changed since dispatch 1"})
			if got := plan.Electrons[0]; !strings.HasSuffix(want, got.Reason) || !strings.HasPrefix(want, got.Action) {
				t.Errorf("it was planned as %+v", got)
			}
		})
	}
}

func TestReuse_looks_at_files_within_an_input(t *testing.T) {
	p := newPlayer()
	h := newHouse(t, p).start()
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	write(t, a, "a")
	write(t, b, "b")
	settled(t, b)
	doc := "lattice: i\ninputs: {images: {type: array, items: {type: string, format: path}}}\nelectrons:\n  fit: {bash: cat, args: {all: \"${{ inputs.images }}\"}}\n"
	first := h.run(doc, map[string]any{"images": []any{a, b}})
	second := h.end(h.again(first.ID, dispatcher.Request{}).ID)
	h.expectWhy(second.ID, map[string]string{"fit": "reused: nothing changed since dispatch 1"})
	write(t, b, "c")
	third := h.end(h.again(second.ID, dispatcher.Request{}).ID)
	h.expectWhy(third.ID, map[string]string{"fit": "run: file " + b + " changed"})
}

// What an electron read is not known when it changed beside it, also over a restart.
func TestReuse_does_not_trust_a_file_that_changed_while_it_was_read(t *testing.T) {
	for name, restart := range map[string]bool{"at once": false, "over a restart": true} {
		for _, changes := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "image")
				write(t, path, "data")
				settled(t, path)
				p := newPlayer()
				begun, end := make(chan struct{}, 9), make(chan struct{})
				p.act = func(context.Context, executors.Task, int) (executors.Result, error) {
					begun <- struct{}{}
					<-end
					return value("1"), nil
				}
				h := newHouse(t, p).start()
				first := h.submit("lattice: i\ninputs: {image: {type: string, format: path}}\nelectrons:\n  fit: {run: [x, \"${{ inputs.image }}\"]}\n", map[string]any{"image": path})
				<-begun
				settled(t, path)
				time.Sleep(50 * time.Millisecond) // a process takes longer to begin than a look; here it takes nothing
				if restart {
					h.stop()
				}
				if changes {
					write(t, path, "dota")
					settled(t, path)
				}
				if restart {
					h.start()
				}
				close(end)
				h.end(first.ID)
				want := "reused: nothing changed since dispatch 1"
				if changes {
					want = "run: file " + path + " changed while it ran in dispatch 1"
				}
				g := h.end(h.again(first.ID, dispatcher.Request{}).ID)
				h.expectWhy(g.ID, map[string]string{"fit": want})
				if g.Status != graph.Completed {
					t.Errorf("it ended %s", g.Status)
				}
			})
		}
	}
}

// The real thing: python objects, files and results of electrons that did not run are
// what those that run are handed.
func TestReuse_hands_python_objects_and_files_on(t *testing.T) {
	h := newLocal(t).start()
	doc := `
lattice: local
inputs: {k: {type: integer, default: 1}}
electrons:
  make:
    python: |
      def main():
          open("o.txt", "w").write("seven")
          return {3, 4}
    outputs: {o: o.txt}
  use:
    python: |
      def main(s, k):
          return [type(s).__name__, sum(s), k, open("in/make/o").read()]
    args: {s: "${{ electrons.make.result }}", k: "${{ inputs.k }}"}
    env: {F: "${{ electrons.make.files.o }}"}
`
	first := h.run(doc, nil)
	if first.Status != graph.Completed {
		t.Fatalf("it ended %s: %+v", first.Status, first.Error)
	}
	g := h.end(h.again(first.ID, dispatcher.Request{Inputs: map[string]any{"k": int64(2)}}).ID)
	h.expectWhy(g.ID, map[string]string{"make": "reused: nothing changed since dispatch 1", "use": "run: args.k was 1, is 2"})
	if string(g.Result) != `{"use":["set",7,2,"seven"]}` {
		t.Errorf("it is %s: %+v", g.Result, g.Error)
	}
}
