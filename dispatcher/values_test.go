package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// large is a result that the store keeps as a file.
func large(n int) string { return `"` + strings.Repeat("x", n) + `"` }

func TestOutput_reads_only_what_it_names(t *testing.T) {
	dir := t.TempDir()
	p := newPlayer()
	p.act = func(_ context.Context, task executors.Task, _ int) (executors.Result, error) {
		if task.Electron == "big" {
			return value(large(100_000)), nil
		}
		files, err := filepath.Glob(filepath.Join(dir, "assets", "*", "*"))
		if err != nil || len(files) == 0 {
			return executors.Result{}, executors.Permanent(errors.New("the large result is not there"))
		}
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				return executors.Result{}, executors.Permanent(err)
			}
		}
		return value("7"), nil
	}
	h := openHouse(t, dir, p).start()
	const doc = `
lattice: l
electrons:
  big: {run: [x]}
  small: {run: [x], args: {printed: "${{ electrons.big.stdout }}"}}
output: {n: "${{ electrons.small.result }}"}
`
	if g := h.run(doc, nil); g.Status != graph.Completed || string(g.Result) != `{"n":7}` {
		t.Errorf("%s %s %+v", g.Status, g.Result, g.Error)
	}
}

func TestOutput_of_too_many_leaves_is_an_error_that_says_so(t *testing.T) {
	p := newPlayer()
	p.act = func(context.Context, executors.Task, int) (executors.Result, error) {
		return value(large(1 << 20)), nil
	}
	h := newHouse(t, p).start()
	doc := "lattice: l\nelectrons:\n"
	for i := range 9 {
		doc += fmt.Sprintf("  e%d: {run: [x]}\n", i)
	}
	g := h.run(doc, nil)
	if g.Status != graph.Failed || g.Error.Code != executors.CodeResultTooLarge || !strings.HasPrefix(g.Error.Message, "output: it has 9437202 bytes, 8388608 are allowed") {
		t.Errorf("%s %+v", g.Status, g.Error)
	}
	if g := h.run(doc+"output: '${{ len(electrons.e3.result) }}'\n", nil); string(g.Result) != "1048576" {
		t.Errorf("%s %s %+v", g.Status, g.Result, g.Error)
	}
}

func TestOutput_that_cannot_be_read_is_waited_for_and_shown(t *testing.T) {
	p := newPlayer()
	p.act = func(context.Context, executors.Task, int) (executors.Result, error) { return value(large(20_000)), nil }
	h := newHouse(t, p)
	h.st.open.Store(new(func() error { return errors.New("disk in trouble") }))
	h.start()
	g := h.submit("lattice: l\nelectrons:\n  a: {run: [x]}\n", nil)
	g = h.until(g.ID, func(g graph.Dispatch) bool { return g.Waiting != nil })
	if g.Status != graph.Running || g.Waiting.Code != "store" || !strings.Contains(g.Waiting.Detail, "disk in trouble") {
		t.Errorf("%s %+v", g.Status, g.Waiting)
	}
	h.st.open.Store(nil)
	if g = h.end(g.ID); g.Status != graph.Completed || g.Waiting != nil {
		t.Errorf("%s %+v %+v", g.Status, g.Waiting, g.Error)
	}
}

func TestExpressions_see_null_where_a_dispatch_has_no_parent_and_no_trigger(t *testing.T) {
	h := newHouse(t, newPlayer()).start()
	const doc = `
lattice: l
electrons:
  a: {run: [x]}
output: ["${{ dispatch.parent_id }}", "${{ dispatch.trigger ?? 'by hand' }}", "${{ dispatch.root_id == dispatch.id }}"]
`
	first := h.run(doc, nil)
	if string(first.Result) != `[null,"by hand",true]` {
		t.Errorf("%s %+v", first.Result, first.Error)
	}
	again, _, err := h.d.Redispatch(t.Context(), first.ID, dispatcher.Request{Owner: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if g := h.end(again.ID); string(g.Result) != `["`+first.ID+`","by hand",true]` {
		t.Errorf("%s %+v", g.Result, g.Error)
	}
}

// A dispatch of many small results is walked without holding all of them.
func TestResults_beyond_what_is_kept_at_hand_are_read_again(t *testing.T) {
	p := newPlayer()
	p.act = func(context.Context, executors.Task, int) (executors.Result, error) { return value(large(15_000)), nil }
	h := newHouse(t, p).start()
	doc := "lattice: l\nelectrons:\n"
	output := "output:\n"
	for i := range 320 { // 4.8 MB
		doc += fmt.Sprintf("  e%03d: {run: [x]}\n", i)
		output += fmt.Sprintf("  - ${{ len(electrons.e%03d.result) }}\n", i)
	}
	want := "[" + strings.Repeat("15000,", 319) + "15000]"
	if g := h.run(doc+output, nil); string(g.Result) != want {
		t.Errorf("%s %s %+v", g.Status, g.Result, g.Error)
	}
}
