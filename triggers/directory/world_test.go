package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// limit is generous: the tests wait for real files on busy machines.
const limit = 5 * time.Minute

const showPath = `
lattice: show
inputs:
  path: {type: string, default: none}
electrons:
  e: {run: [echo, "${{ inputs.path }}"]}
`

// world is a manager over a real store, and a folder to watch.
type world struct {
	*testing.T
	hub     *hub
	dir     string
	state   string
	store   *store.Store
	manager *triggers.Manager
	stop    func()
}

func newWorld(t *testing.T) *world { return newWorldIn(t, t.TempDir()) }

// newWorldIn keeps its state in a given directory.
func newWorldIn(t *testing.T, state string) *world {
	w := &world{T: t, hub: &hub{}, dir: filepath.Join(t.TempDir(), "in"), state: state}
	w.mkdir(w.dir)
	w.start()
	l, err := graph.Parse([]byte(showPath))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.InsertLattice(t.Context(), l, true, "ada"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	s, err := store.Open(context.Background(), w.state, store.Options{BusyTimeout: 100 * time.Millisecond})
	if err != nil {
		w.Fatal(err)
	}
	kinds := triggers.Kinds{"directory": func(f *triggers.Fields) triggers.Made { return w.hub.make(f) }}
	m := triggers.NewManager(s, kinds, triggers.Options{Log: zerolog.Nop(), Baseline: limit})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	w.store, w.manager = s, m
	w.stop = func() {
		w.stop = func() {}
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
		if err := s.Close(); err != nil {
			w.Error(err)
		}
	}
}

// add registers a trigger on the folder; fields come after the common ones.
func (w *world) add(fields string) triggers.Trigger {
	w.Helper()
	path, err := json.Marshal(w.dir)
	if err != nil {
		w.Fatal(err)
	}
	if !strings.Contains(fields, `"inputs"`) {
		fields += `,"inputs":{"path":"${{ event.path }}"}`
	}
	if !strings.Contains(fields, `"overlap"`) {
		fields += `,"overlap":"allow"`
	}
	spec := fmt.Sprintf(`{"name":"t","kind":"directory","lattice":"show","dir_path":%s%s}`, path, fields)
	t, _, err := w.manager.Add(w.Context(), []byte(spec), triggers.Principal{Name: "ada"})
	if err != nil {
		w.Fatal(err)
	}
	return t
}

func (w *world) path(name string) string { return w.dir + "/" + name }

func (w *world) write(name, content string) {
	w.Helper()
	if err := os.WriteFile(w.path(name), []byte(content), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *world) mkdir(dir string) {
	w.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.Fatal(err)
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// events returns all events, oldest first.
func (w *world) events() []triggers.Event {
	w.Helper()
	var all []triggers.Event
	after := ""
	for {
		es, next, err := w.store.Events(w.Context(), "t", nil, 500, after)
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, es...)
		if after = next; next == "" {
			break
		}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// seen lists the events as "kind name", in order.
func (w *world) seen() string {
	w.Helper()
	var out []string
	for _, e := range w.events() {
		var p struct{ Name string }
		w.must(json.Unmarshal(e.Payload, &p))
		out = append(out, e.Kind+" "+p.Name)
	}
	return strings.Join(out, ", ")
}

// eventually waits until f gives want.
func eventually[T comparable](w *world, what string, f func() T, want T) {
	w.Helper()
	var got T
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if got = f(); got == want {
			return
		}
		select { // a poll of a condition, with a limit
		case <-w.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	w.Fatalf("%s: %v, want %v", what, got, want)
}

func (w *world) expect(want string) {
	w.Helper()
	eventually(w, "events", w.seen, want)
}

// trigger waits for a state whose reason has a part.
func (w *world) trigger(want triggers.State, part string) {
	w.Helper()
	eventually(w, "state "+string(want)+" "+part, func() bool {
		t, err := w.store.Trigger(w.Context(), "t")
		w.must(err)
		return t.State == want && strings.Contains(t.Reason, part)
	}, true)
}

// live waits for a state as the manager knows it, which the store may not.
func (w *world) live(want triggers.State) {
	w.Helper()
	eventually(w, "live state", func() triggers.State {
		t, err := w.store.Trigger(w.Context(), "t")
		w.must(err)
		return w.manager.Live(t).State
	}, want)
}

func (w *world) revise(patch string) {
	w.Helper()
	if _, _, err := w.manager.Patch(w.Context(), "t", []byte(patch), triggers.Principal{}); err != nil {
		w.Fatal(err)
	}
}
