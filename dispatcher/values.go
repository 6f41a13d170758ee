package dispatcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// values is what the expressions of one dispatch see. Results come from the store
// when somebody asks for them; small ones of this walk are at hand.
type values struct {
	ctx      context.Context
	store    Store
	l        *graph.Lattice
	inputs   map[string]any
	dispatch map[string]any
	files    func(electron, name string) string // what the output sees of a file

	fresh map[string]graph.NewAsset // by hash: those of the step being planned, not in the store yet

	left    []*outcome // by electron; nil: nothing (yet), or skipped
	atHand  int        // bytes of raw in left
	decoded map[int]any
	bytes   int64 // of what decoded came from
	failure error // of the last reading inside an expression
}

// outcome is what a completed electron left.
type outcome struct {
	raw    json.RawMessage // of a small result of this walk, while there is room
	result *graph.Asset
	pickle *graph.Asset
	files  map[string]graph.Asset
	stdout *graph.Asset
}

const (
	inlineMax  = 16 << 10 // bytes of an asset that travels with its row
	decodedMax = 8 << 20  // bytes of results that are kept decoded, for each dispatch
	atHandMax  = 4 << 20  // and of those that are kept as they came
)

func newValues(ctx context.Context, store Store, d graph.Dispatch, l *graph.Lattice) (*values, error) {
	v := &values{ctx: ctx, store: store, l: l, left: make([]*outcome, len(l.Electrons)), decoded: map[int]any{}, fresh: map[string]graph.NewAsset{}}
	in := d.Inputs
	if len(in) == 0 {
		in = json.RawMessage("{}")
	}
	x, err := graph.DecodeValue(in)
	if err != nil {
		return nil, fmt.Errorf("inputs of dispatch %s: %w", d.ID, err)
	}
	m, ok := x.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("inputs of dispatch %s are not an object", d.ID)
	}
	v.inputs = m
	v.about(d)
	return v, nil
}

// about sets what is seen of the dispatch itself.
func (v *values) about(d graph.Dispatch) {
	labels := make(map[string]any, len(d.Labels))
	for name, text := range d.Labels {
		labels[name] = text
	}
	v.dispatch = map[string]any{
		"id": d.ID, "number": d.Number, "parent_id": orNull(d.ParentID), "root_id": d.RootID,
		"trigger": orNull(d.Trigger), "labels": labels,
	}
	v.files = func(electron, name string) string {
		return "/v1/dispatches/" + strconv.FormatInt(d.Number, 10) + "/electrons/" + electron + "/files/" + name
	}
}

// orNull is what an expression sees of something that a dispatch need not have.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// completed keeps what an electron has just left.
func (v *values) completed(i int, e ending) {
	o := &outcome{result: e.result, pickle: e.pickle, files: e.files, stdout: e.record.Stdout}
	if len(e.raw) <= inlineMax && v.atHand+len(e.raw) <= atHandMax {
		o.raw = e.raw
		v.atHand += len(e.raw)
	}
	v.left[i] = o
}

// restore keeps what an electron left in an earlier walk.
func (v *values) restore(e graph.Electron) {
	if e.Status != graph.Completed {
		return
	}
	v.left[e.Index] = outcomeOf(e)
}

// condition tells whether electron i is to run.
func (v *values) condition(i int) (ok bool, err error) {
	if v.l.Electrons[i].If == nil {
		return true, nil
	}
	s, err := v.scope(i)
	if err != nil {
		return false, err
	}
	err = v.evaluate(func() (err error) {
		ok, err = v.l.Condition(i, s)
		return err
	})
	return ok, err
}

// evaluate calls into expressions, which know no other errors than their own: what
// could not be read for them, and what blew up, is told apart here.
func (v *values) evaluate(f func() error) error {
	v.failure = nil
	err := guard(f)
	if v.failure != nil {
		return v.failure
	}
	var p *panicError
	if errors.As(err, &p) {
		return executors.Failf("internal", "an expression failed in an unforeseen way: %v", p.value)
	}
	return err
}

// scope is what electron i sees: what it uses of the electrons it refers to.
func (v *values) scope(i int) (graph.Scope, error) { return v.scopeOf(v.l.Uses(i), graph.InPath) }

// scopeOf reads what is used, and nothing else: the results of a wide lattice don't fit
// into memory at once. file says what expressions see of a file.
func (v *values) scopeOf(uses []graph.Use, file func(electron, name string) string) (graph.Scope, error) {
	s := graph.Scope{Inputs: v.inputs, Dispatch: v.dispatch, Electrons: make(map[string]*graph.Outcome, len(uses))}
	for _, u := range uses {
		o, err := v.outcome(u, file)
		if err != nil {
			return s, err
		}
		s.Electrons[v.l.Electrons[u.Electron].Name] = o
	}
	return s, nil
}

// compose evaluates the output of the lattice.
func (v *values) compose() (raw json.RawMessage, err error) {
	uses := v.l.OutputUses()
	if v.l.Output == nil { // it is all of them: that it is too large shows before they are read
		var size int64
		for _, u := range uses {
			if o := v.left[u.Electron]; o != nil && o.result != nil {
				size += o.result.Size
			}
		}
		if size > outputMax {
			return nil, tooLarge(size)
		}
	}
	s, err := v.scopeOf(uses, v.files)
	if err != nil {
		return nil, err
	}
	err = v.evaluate(func() error {
		x, err := v.l.Compose(s)
		if err != nil {
			return err
		}
		raw, err = graph.Canonical(x)
		return err
	})
	if len(raw) > outputMax {
		return nil, tooLarge(int64(len(raw)))
	}
	return raw, err
}

func tooLarge(size int64) error {
	return executors.Failf(executors.CodeResultTooLarge,
		"output: it has %d bytes, %d are allowed; keep large data in `outputs`, or name in `output` what matters", size, outputMax)
}

// outcome is an electron as expressions see it, nil when it was skipped.
func (v *values) outcome(u graph.Use, file func(electron, name string) string) (*graph.Outcome, error) {
	o := v.left[u.Electron]
	if o == nil {
		return nil, nil
	}
	name := v.l.Electrons[u.Electron].Name
	out := &graph.Outcome{Stdout: func() (string, error) { return v.text(name, o.stdout) }}
	if u.Result {
		var err error
		if out.Result, err = v.value(u.Electron, o); err != nil {
			return nil, fmt.Errorf("result of electron %s: %w", name, err)
		}
	}
	if len(o.files) > 0 {
		out.Files = make(map[string]any, len(o.files))
		for f := range o.files {
			out.Files[f] = file(name, f)
		}
	}
	return out, nil
}

func (v *values) value(i int, o *outcome) (any, error) {
	if o.result == nil {
		return nil, nil
	}
	if x, ok := v.decoded[i]; ok {
		return x, nil
	}
	raw := o.raw
	if raw == nil {
		var err error
		if raw, err = v.read(*o.result); err != nil {
			return nil, err
		}
	}
	x, err := graph.DecodeValue(raw)
	if err != nil {
		return nil, err
	}
	if v.bytes += int64(len(raw)); v.bytes > decodedMax {
		clear(v.decoded)
		v.bytes = int64(len(raw))
	}
	v.decoded[i] = x
	return x, nil
}

func (v *values) text(electron string, a *graph.Asset) (string, error) {
	if a == nil {
		return "", nil
	}
	b, err := v.read(*a)
	if err != nil {
		v.failure = fmt.Errorf("stdout of electron %s: %w", electron, err)
	}
	return string(b), err
}
