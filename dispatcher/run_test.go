package dispatcher_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// echo answers with the arguments it was given.
func echo(_ context.Context, t executors.Task, _ int) (executors.Result, error) {
	raw, err := json.Marshal(t.Argv[1:])
	return executors.Result{Value: raw}, err
}

func TestRun_hands_results_from_one_electron_to_the_next(t *testing.T) {
	p := newPlayer()
	p.act = echo
	h := newHouse(t, p).start()
	g := h.run(`
lattice: chain
inputs: {n: {type: integer}}
electrons:
  a: {run: [x, "${{ inputs.n + 1 }}"]}
  b: {run: [x, "${{ electrons.a.result[0] }}", "n=${{ inputs.n }} of ${{ dispatch.number }}"]}
output: {b: "${{ electrons.b.result }}"}
`, map[string]any{"n": int64(41)})
	if g.Status != graph.Completed || string(g.Result) != `{"b":["42","n=41 of 1"]}` {
		t.Errorf("it ended %s with %s, error %+v", g.Status, g.Result, g.Error)
	}
	if g.StartedAt.Before(g.CreatedAt) || g.EndedAt.Before(g.StartedAt) {
		t.Errorf("created %v, started %v, ended %v", g.CreatedAt, g.StartedAt, g.EndedAt)
	}
	h.stop()
	if n := p.held(); n != 0 {
		t.Errorf("%d attempts were not released", n)
	}
}

func TestRun_makes_a_task_of_everything_resolved(t *testing.T) {
	p := newPlayer()
	var mu sync.Mutex
	tasks := map[string]executors.Task{}
	large := bytes.Repeat([]byte("0123456789abcdef"), 4096) // 64 KiB: a file of the store
	p.act = func(_ context.Context, task executors.Task, _ int) (executors.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		tasks[task.Electron] = task
		if task.Electron != "make" {
			return value(`"done"`), nil
		}
		return executors.Result{
			Value:  json.RawMessage(`{"x": 1}`),
			Pickle: &executors.File{Name: "pickle", Size: 3, Data: []byte("\x80\x04.")},
			Stdout: &executors.File{Name: "stdout", Size: 6, Data: []byte("hello\n")},
			Outputs: map[string]executors.File{
				"small": {Name: "small", Size: 2, Data: []byte("hi")},
				"large": {Name: "large", Size: int64(len(large)), Data: large},
			},
		}, nil
	}
	h := newHouse(t, p).start()
	g := h.run(`
lattice: task
include: {lib.py: {text: "x = 1\n"}}
electrons:
  make: {run: [x], outputs: {small: small, large: large}}
  use:
    python: "lib.py:f"
    args: {r: "${{ electrons.make.result }}", x: "${{ electrons.make.result.x }}"}
    env: {F: "${{ electrons.make.files.large }}", G: "${{ electrons.make.files.small }}", S: "${{ electrons.make.stdout }}", HOME: null}
    timeout: 5m
    grace: 7s
    resources: {cpus: 2}
`, nil)
	if g.Status != graph.Completed {
		t.Fatalf("it ended %s: %+v", g.Status, g.Error)
	}
	task := tasks["use"]
	if task.Dispatch != g.ID || task.Number != g.Number || task.Timeout.Minutes() != 5 || task.Grace.Seconds() != 7 || task.Resources.CPUs != 2 {
		t.Errorf("task is %+v", task)
	}
	if diff := cmp.Diff(map[string]string{"F": "in/make/large", "G": "in/make/small", "S": "hello\n"}, task.Env); diff != "" {
		t.Error("env", diff)
	}
	if diff := cmp.Diff([]string{"HOME"}, task.Unset); diff != "" {
		t.Error("unset", diff)
	}
	if diff := cmp.Diff(map[string]any{"r": map[string]any{"x": int64(1)}, "x": int64(1)}, task.Args); diff != "" {
		t.Error("args", diff)
	}
	if got := string(task.Pickles["r"].Data); got != "\x80\x04." || len(task.Pickles) != 1 {
		t.Errorf("pickles are %v", task.Pickles)
	}
	files := map[string]string{}
	for _, f := range task.Files {
		files[f.Name] = string(content(t, f))
		if f.ReadOnly != strings.HasPrefix(f.Name, "in/") {
			t.Errorf("%s: read only is %v", f.Name, f.ReadOnly)
		}
	}
	if diff := cmp.Diff(map[string]string{"lib.py": "x = 1\n", "in/make/small": "hi", "in/make/large": string(large)}, files); diff != "" {
		t.Error("files", diff)
	}
	e := h.electron(g.ID, "make")
	if e.Result == nil || e.Pickle == nil || len(e.Files) != 2 || e.Attempts[0].Stdout.Size != 6 || e.Attempts[0].Stderr != nil {
		t.Errorf("electron is %+v", e)
	}
}

func content(t *testing.T, f executors.File) []byte {
	t.Helper()
	if f.Data != nil {
		return f.Data
	}
	file, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRun_skips_what_a_false_condition_and_its_data_hold_back(t *testing.T) {
	h := newHouse(t, newPlayer()).start()
	g := h.run(`
lattice: cond
inputs: {n: {type: integer, default: 1}}
electrons:
  a: {run: [x], if: "${{ inputs.n > 1 }}"}
  needs: {run: [x, "${{ electrons.a.result.y }}"]}
  asks: {run: [x, "${{ electrons.a?.result?.y ?? 'none' }}"]}
  waits: {run: [x], wait_for: [a]}
`, nil)
	if g.Status != graph.Completed {
		t.Fatalf("it ended %s: %+v", g.Status, g.Error)
	}
	for name, want := range map[string]struct {
		status graph.Status
		reason string
	}{
		"a": {graph.Skipped, graph.ReasonCondition}, "needs": {graph.Skipped, graph.ReasonUpstreamSkipped},
		"asks": {graph.Completed, ""}, "waits": {graph.Completed, ""},
	} {
		if e := h.electron(g.ID, name); e.Status != want.status || e.Reason != want.reason {
			t.Errorf("%s is %s (%s), want %s (%s)", name, e.Status, e.Reason, want.status, want.reason)
		}
	}
}

func TestRun_fails_an_electron_whose_expressions_fail(t *testing.T) {
	p := newPlayer()
	p.act = func(context.Context, executors.Task, int) (executors.Result, error) { return value(`{"x": "no"}`), nil }
	h := newHouse(t, p).start()
	for name, spec := range map[string]string{
		"value":     `{run: [x, "${{ electrons.a.result.missing.deep }}"]}`,
		"condition": `{run: [x], if: "${{ electrons.a.result.x }}"}`,
	} {
		t.Run(name, func(t *testing.T) {
			g := h.run("lattice: e\nelectrons:\n  a: {run: [x]}\n  b: "+spec+"\n  c: {run: [x], wait_for: [b]}\n", nil)
			if g.Status != graph.Failed || g.Error == nil || g.Error.Code != "expression" || g.Error.Electron != "b" || g.Error.Attempt != "" {
				t.Fatalf("it ended %s: %+v", g.Status, g.Error)
			}
			if e := h.electron(g.ID, "b"); e.Status != graph.Failed || len(e.Attempts) != 0 || e.Error == nil {
				t.Errorf("b is %+v", e)
			}
			if e := h.electron(g.ID, "c"); e.Status != graph.Skipped || e.Reason != graph.ReasonUpstream {
				t.Errorf("c is %s (%s)", e.Status, e.Reason)
			}
		})
	}
}

func TestRun_fails_a_dispatch_whose_output_fails(t *testing.T) {
	h := newHouse(t, newPlayer()).start()
	g := h.run("lattice: o\nelectrons:\n  a: {run: [x]}\noutput: ${{ electrons.a.result.missing.deep }}\n", nil)
	if g.Status != graph.Failed || g.Error == nil || g.Error.Code != "expression" || g.Result != nil {
		t.Errorf("it ended %s: %+v with %s", g.Status, g.Error, g.Result)
	}
	if e := h.electron(g.ID, "a"); e.Status != graph.Completed {
		t.Errorf("a is %s", e.Status)
	}
}

func TestRun_results_of_leaves_are_the_default_output(t *testing.T) {
	p := newPlayer()
	p.act = func(_ context.Context, task executors.Task, _ int) (executors.Result, error) {
		return value(`"` + strings.Repeat(task.Electron, 20<<10) + `"`), nil // beyond what is kept in a row
	}
	h := newHouse(t, p).start()
	g := h.run("lattice: l\nelectrons:\n  a: {run: [x]}\n  b: {run: [x], wait_for: [a]}\n  c: {run: [x], wait_for: [a]}\n", nil)
	want := fmt.Sprintf(`{"b":%q,"c":%q}`, strings.Repeat("b", 20<<10), strings.Repeat("c", 20<<10))
	if string(g.Result) != want {
		t.Errorf("the result is %.80s…", g.Result)
	}
}

func TestRun_tells_of_ends_after_they_are_stored(t *testing.T) {
	h := newHouse(t, newPlayer())
	told := make(chan graph.Dispatch, 1)
	h.opts.Ended = func(g graph.Dispatch) {
		stored, err := h.st.Dispatch(context.Background(), g.ID)
		if err != nil || stored.Status != g.Status {
			t.Errorf("told %s, stored %s (%v)", g.Status, stored.Status, err)
		}
		told <- g
		panic("a watcher that fails must not matter")
	}
	h.start()
	id := h.submit("lattice: t\nelectrons:\n  a: {run: [x]}\n", nil).ID
	if g := <-told; g.ID != id || g.Status != graph.Completed || string(g.Result) != `{"a":{}}` {
		t.Errorf("told of %+v", g)
	}
	h.stop()
	if s := h.d.Stats(); s.Ended[graph.Completed] != 1 || s.Attempts[graph.Completed] != 1 || s.Accepted != 1 || s.Live != 0 {
		t.Errorf("stats are %+v", s)
	}
}
