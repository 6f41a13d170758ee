package dispatcher_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const sum = `
lattice: sum
inputs: {a: {type: integer}, b: {type: integer, default: 2}, c: {default: null}}
electrons: {s: {run: [x, "${{ inputs.a + inputs.b }}"]}}
`

func request(doc string, inputs map[string]any) dispatcher.Request {
	return dispatcher.Request{Document: []byte(doc), Inputs: inputs, Owner: "ada", CreatedBy: "ada"}
}

func TestAccept_stores_what_was_asked(t *testing.T) {
	h := newHouse(t, newPlayer()).make()
	r := request(sum, map[string]any{"a": int64(1)})
	r.Labels, r.Note, r.RunAs = map[string]string{"sample": "A=1"}, "first", "lab"
	g, ws, err := h.d.Accept(t.Context(), r)
	if err != nil || len(ws) != 0 {
		t.Fatal(ws, err)
	}
	if g.Number != 1 || g.Status != graph.Pending || string(g.Inputs) != `{"a":1,"b":2,"c":null}` || g.RootID != g.ID || g.ParentID != "" {
		t.Errorf("stored %+v", g)
	}
	again, err := h.st.Dispatch(t.Context(), "1")
	if err != nil || again.Note != "first" || again.Labels["sample"] != "A=1" || again.RunAs != "lab" || again.Owner != "ada" || again.Total != 1 {
		t.Errorf("read %+v, %v", again, err)
	}
	if _, err := h.st.Lattice(t.Context(), "sum"); !errors.Is(err, triggers.ErrNotFound) {
		t.Errorf("an inline lattice got a name: %v", err)
	}
	if l, err := h.st.Lattice(t.Context(), g.LatticeID); err != nil || l.Name != "sum" {
		t.Errorf("the inline lattice is not kept by id: %v", err)
	}
}

func TestAccept_by_name_and_id(t *testing.T) {
	h := newHouse(t, newPlayer()).make()
	l, err := graph.Parse([]byte(sum))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.st.InsertLattice(t.Context(), l, true, "ada"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sum", l.ID} {
		g, _, err := h.d.Accept(t.Context(), dispatcher.Request{Lattice: name, Inputs: map[string]any{"a": int64(1)}})
		if err != nil || g.LatticeID != l.ID {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
	if _, _, err := h.d.Accept(t.Context(), dispatcher.Request{Lattice: "summ"}); !errors.Is(err, triggers.ErrNotFound) {
		t.Errorf("an unknown name gives %v", err)
	}
}

func TestAccept_refuses_with_the_place_and_the_reason(t *testing.T) {
	h := newHouse(t, newPlayer()).make()
	good := map[string]any{"a": int64(1)}
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint("k", i)] = ""
	}
	for name, c := range map[string]struct {
		change func(*dispatcher.Request)
		path   string
	}{
		"missing_input":   {func(r *dispatcher.Request) { r.Inputs = nil }, "inputs.a"},
		"unknown_input":   {func(r *dispatcher.Request) { r.Inputs = map[string]any{"a": int64(1), "aa": int64(1)} }, "inputs.aa"},
		"wrong_type":      {func(r *dispatcher.Request) { r.Inputs = map[string]any{"a": "one"} }, "inputs.a"},
		"null_is_a_value": {func(r *dispatcher.Request) { r.Inputs = map[string]any{"a": nil} }, "inputs.a"},
		"bad_document":    {func(r *dispatcher.Request) { r.Document = []byte("lattice: x\nelectrons: {}\n") }, "electrons"},
		"no_lattice":      {func(r *dispatcher.Request) { r.Document = nil }, "lattice"},
		"two_lattices":    {func(r *dispatcher.Request) { r.Lattice = "sum" }, "lattice"},
		"unset":           {func(r *dispatcher.Request) { r.Unset = []string{"a"} }, "unset"},
		"label_key":       {func(r *dispatcher.Request) { r.Labels = map[string]string{"a=b": "c"} }, "labels"},
		"label_value":     {func(r *dispatcher.Request) { r.Labels = map[string]string{"a": strings.Repeat("x", 1025)} }, "labels.a"},
		"label_bytes":     {func(r *dispatcher.Request) { r.Labels = map[string]string{"a": "\xff"} }, "labels.a"},
		"many_labels":     {func(r *dispatcher.Request) { r.Labels = many }, "labels"},
		"long_note":       {func(r *dispatcher.Request) { r.Note = strings.Repeat("x", 1<<17) }, "note"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(sum, good)
			c.change(&r)
			_, _, err := h.d.Accept(t.Context(), r)
			var bad *graph.Invalid
			if !errors.As(err, &bad) {
				t.Fatalf("got %v", err)
			}
			if bad.Problems[0].Path != c.path || bad.Problems[0].Message == "" {
				t.Errorf("problems are %+v, want path %s", bad.Problems, c.path)
			}
		})
	}
	if s := h.d.Stats(); s.Accepted != 0 {
		t.Errorf("%d were accepted", s.Accepted)
	}
}

func TestAccept_warns_of_what_may_not_work(t *testing.T) {
	h := newHouse(t, newPlayer()).make()
	gone := filepath.Join(t.TempDir(), "gone.tif")
	_, ws, err := h.d.Accept(t.Context(), request(`
lattice: warn
inputs: {image: {type: string, format: path}}
electrons: {s: {run: [x], executor: locl}}
`, map[string]any{"image": gone}))
	if err != nil || len(ws) != 2 {
		t.Fatal(ws, err)
	}
	if ws[0].Code != "unknown_executor" || !strings.Contains(ws[0].Message, "did you mean local?") {
		t.Errorf("warned %+v", ws[0])
	}
	if ws[1].Code != "path_missing" || !strings.Contains(ws[1].Message, gone) {
		t.Errorf("warned %+v", ws[1])
	}
}

func TestRedispatch_merges_over_the_effective_inputs(t *testing.T) {
	h := newHouse(t, newPlayer()).make()
	r := request(sum, map[string]any{"a": int64(1), "b": int64(5), "c": map[string]any{"deep": int64(1), "other": int64(2)}})
	r.DisableRun = true // a template may be redispatched
	parent, _, err := h.d.Accept(t.Context(), r)
	if err != nil || parent.Status != graph.New {
		t.Fatal(parent.Status, err)
	}
	for name, c := range map[string]struct {
		inputs map[string]any
		unset  []string
		want   string
	}{
		"nothing":    {nil, nil, `{"a":1,"b":5,"c":{"deep":1,"other":2}}`},
		"one":        {map[string]any{"a": int64(9)}, nil, `{"a":9,"b":5,"c":{"deep":1,"other":2}}`},
		"shallow":    {map[string]any{"c": map[string]any{"deep": int64(3)}}, nil, `{"a":1,"b":5,"c":{"deep":3}}`},
		"null":       {map[string]any{"c": nil}, nil, `{"a":1,"b":5,"c":null}`},
		"to_default": {nil, []string{"b"}, `{"a":1,"b":2,"c":{"deep":1,"other":2}}`},
	} {
		t.Run(name, func(t *testing.T) {
			g, _, err := h.d.Redispatch(t.Context(), "1", dispatcher.Request{Inputs: c.inputs, Unset: c.unset, Owner: "bob"})
			if err != nil {
				t.Fatal(err)
			}
			if string(g.Inputs) != c.want || g.ParentID != parent.ID || g.RootID != g.ID || g.Status != graph.Pending || g.Owner != "bob" {
				t.Errorf("got %+v with %s, want %s", g, g.Inputs, c.want)
			}
		})
	}
	for name, r := range map[string]dispatcher.Request{
		"wrong_type":       {Inputs: map[string]any{"a": "x"}},
		"undeclared":       {Inputs: map[string]any{"z": int64(1)}},
		"unset_undeclared": {Unset: []string{"z"}},
		"unset_required":   {Unset: []string{"a"}},
		"set_and_unset":    {Unset: []string{"b"}, Inputs: map[string]any{"b": int64(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := h.d.Redispatch(t.Context(), parent.ID, r)
			var bad *graph.Invalid
			if !errors.As(err, &bad) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, _, err := h.d.Redispatch(t.Context(), "99", dispatcher.Request{}); !errors.Is(err, triggers.ErrNotFound) {
		t.Errorf("an unknown parent gives %v", err)
	}
}

func TestRedispatch_validates_against_the_lattice_actually_run(t *testing.T) {
	h := newHouse(t, newPlayer()).make()
	parent, _, err := h.d.Accept(t.Context(), request(sum, map[string]any{"a": int64(1)}))
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(sum, "a: {type: integer}", "a: {type: integer, minimum: 5}", 1)
	var bad *graph.Invalid
	if _, _, err := h.d.Redispatch(t.Context(), parent.ID, dispatcher.Request{Document: []byte(other)}); !errors.As(err, &bad) {
		t.Errorf("got %v", err)
	}
	g, _, err := h.d.Redispatch(t.Context(), parent.ID, dispatcher.Request{Document: []byte(other), Inputs: map[string]any{"a": int64(6)}})
	if err != nil || g.LatticeID == parent.LatticeID || g.ParentID != parent.ID {
		t.Errorf("got %+v, %v", g, err)
	}
}

func TestStart_runs_a_template_once(t *testing.T) {
	h := newHouse(t, newPlayer()).start()
	r := request(sum, map[string]any{"a": int64(1)})
	r.DisableRun = true
	if _, _, err := h.d.Accept(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	g, err := h.d.Start(t.Context(), "1")
	if err != nil || g.Status != graph.Pending {
		t.Fatal(g.Status, err)
	}
	h.end(g.ID)
	again, err := h.d.Start(t.Context(), g.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(graph.Completed, again.Status); diff != "" {
		t.Error(diff)
	}
	if _, err := h.d.Start(t.Context(), "99"); !errors.Is(err, triggers.ErrNotFound) {
		t.Errorf("an unknown dispatch gives %v", err)
	}
}
