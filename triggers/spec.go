package triggers

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latticed/latticed/graph"
)

// Limits of a spec.
const (
	maxSpec     = 1 << 20
	maxBatch    = 10_000
	maxInFlight = 100_000

	defaultInFlight  = 16
	defaultBatchWait = 10 * time.Minute
)

var (
	namePattern  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) })
	idPattern    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`) })
	labelPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$`) })
)

// latest is the suffix of a lattice that follows its name.
const latest = "@latest"

// spec is a decoded and checked trigger, without its target.
type spec struct {
	name, kind        string
	dispatch, lattice string // as written; one of them
	made              Made
	loops             bool          // what the trigger itself seems to have led to is not held
	gate              Gate          // without Paused and Render
	expect            time.Duration // longer without an event is a silence; 0: it may be
	expressions
	settings []Setting
}

// expressions of a spec, compiled; nil or empty: none.
type expressions struct {
	inputs  map[string]*graph.Template
	names   []string       // of inputs, sorted
	fixed   map[string]any // inputs without an expression, by name
	paths   []string       // inputs that are a path of the event
	sweep   *sweepRule     // nil: a firing makes one dispatch
	labels  map[string]*graph.Template
	when    *graph.Template
	dedupe  *graph.Template
	batched bool // inputs and labels see events, not event
}

// decodeObject reads a JSON object strictly.
func decodeObject(raw []byte) (map[string]any, error) {
	refuse := func(code, message string) error {
		return &graph.Invalid{Problems: []graph.Problem{{Code: code, Message: message}}}
	}
	if len(raw) > maxSpec {
		return nil, refuse(graph.CodeTooLarge, "a trigger may have 1 MiB at most")
	}
	v, err := graph.DecodeValue(raw)
	if err != nil {
		return nil, refuse(graph.CodeSyntax, err.Error())
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, refuse(graph.CodeWrongType, "a trigger must be a JSON object, not "+describe(v))
	}
	return m, nil
}

// decodeSpec reads and compiles a spec; the error is *graph.Invalid with everything
// that is wrong.
func decodeSpec(raw json.RawMessage, kinds Kinds) (*spec, error) {
	object, err := decodeObject(raw)
	if err != nil {
		return nil, err
	}
	f := newFields(object)
	s := &spec{}
	s.name = f.Required("name", "give the trigger a name")
	if s.name != "" && !namePattern().MatchString(s.name) {
		f.Refuse("name", graph.CodeBadName, "%s is not a name: letters, digits, dot, dash and underscore, 64 at most, and no dash or dot first", show(s.name))
	}
	if idPattern().MatchString(s.name) {
		f.Refuse("name", graph.CodeBadName, "has the form of an id, by which another trigger may be known; choose another")
	}
	s.kind = f.Required("kind", "one of "+kinds.list())
	kind, known := kinds[s.kind]
	if !known && s.kind != "" {
		f.Refuse("kind", graph.CodeBadValue, "must be one of %s, not %s%s", kinds.list(), show(s.kind), didYouMean(s.kind, kinds.names()))
	}
	s.target(f)
	common := f.commonNames()
	if !known {
		// Nobody can say which fields an unknown kind has.
		return nil, f.err()
	}
	s.made = kind(f)
	refuseMasked(f, s.made.Secrets)
	s.rules(f)
	s.compile(f)
	f.asked = append(f.asked, common...)
	kinds.ofOthers(f, s.kind)
	f.rest()
	s.settings = f.out.settings
	return s, f.err()
}

// commonNames are suggested for misspelt fields of every kind.
func (f *Fields) commonNames() []string {
	return []string{"name", "kind", "dispatch_id", "lattice", "inputs", "when", "dedupe_key", "batch", "overlap", "max_in_flight", "rate", "loop", "expect_every", "labels", "sweep"}
}

func (s *spec) target(f *Fields) {
	s.dispatch = f.Text("dispatch_id", "")
	s.lattice = f.Text("lattice", "")
	switch {
	case s.dispatch == "" && s.lattice == "":
		f.Refuse("dispatch_id", graph.CodeMissing, "say what to run: dispatch_id (a dispatch to redispatch) or lattice (NAME, or NAME@latest to follow the name)")
	case s.dispatch != "" && s.lattice != "":
		f.Refuse("lattice", graph.CodeBadValue, "give dispatch_id or lattice, not both")
	case strings.HasSuffix(s.lattice, latest) && !namePattern().MatchString(strings.TrimSuffix(s.lattice, latest)):
		f.Refuse("lattice", graph.CodeBadName, "%s is not a lattice name", show(strings.TrimSuffix(s.lattice, latest)))
	}
}

// rules reads what the gate needs.
func (s *spec) rules(f *Fields) {
	b := f.sub("batch")
	size := s.made.BatchSize
	if size == 0 {
		size = 1
	}
	if b.Has("size") && s.made.BatchSize != 0 {
		f.Refuse(s.made.BatchAlias, graph.CodeBadValue, "is the same as batch.size: give one of them")
	}
	size = b.Int("size", size, 1, maxBatch)
	wait := b.Duration("wait", defaultBatchWait, 0)
	b.rest()
	if size == 1 && b.Has("wait") {
		f.Refuse("batch.wait", graph.CodeBadValue, "means nothing without batch.size above 1")
	}
	overlap, limit := s.made.Overlap, s.made.MaxInFlight
	if overlap == "" {
		overlap = Queue
	}
	if limit == 0 {
		limit = defaultInFlight
	}
	overlap = Overlap(f.OneOf("overlap", string(overlap), string(Allow), string(Skip), string(Queue), string(QueueLatest), string(Replace)))
	if overlap == Allow && f.Has("max_in_flight") {
		f.Refuse("max_in_flight", graph.CodeBadValue, "means nothing with overlap allow; choose skip or queue")
	}
	limit = f.Int("max_in_flight", limit, 1, maxInFlight)
	s.gate = Gate{Size: int(size), Wait: wait, Overlap: overlap, Max: int(limit), Rate: f.rate("rate")}
	s.loops = f.OneOf("loop", "hold", "hold", "allow") == "allow"
	s.expect = f.expectation("expect_every")
}

// compile checks every expression against what it can see.
func (s *spec) compile(f *Fields) {
	one := graph.Env{"event": s.made.Event}
	seen := graph.Env{"event": s.made.Event, "events": graph.Array}
	s.batched = s.gate.Size > 1
	if s.batched {
		seen = graph.Env{"events": graph.Array}
	}
	s.when = compileOne(f, "when", one)
	if s.when != nil && s.when.Type() != graph.Boolean && s.when.Type() != graph.Any {
		f.Refuse("when", graph.CodeExpression, "must give true or false, not %s", s.when.Type())
	}
	s.dedupe = compileOne(f, "dedupe_key", one)
	inputs := f.Object("inputs")
	if len(inputs) > 0 {
		s.inputs, s.fixed = make(map[string]*graph.Template, len(inputs)), map[string]any{}
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		v := inputs[name]
		path := "inputs." + name
		t, err := graph.CompileTemplate(v, seen)
		if err != nil {
			s.refuse(f, path, err)
			continue
		}
		s.inputs[name] = t
		if fixed, constant := t.Constant(); constant {
			s.fixed[name] = fixed
		}
		if text, _ := v.(string); s.made.Event["path"] != nil && wholePath().MatchString(text) {
			s.paths = append(s.paths, name)
		}
		s.names = append(s.names, name)
		f.Set(path, v, FromTrigger)
	}
	s.sweep = s.compileSweep(f, seen)
	labels := f.Object("labels")
	if len(labels) > 0 {
		s.labels = make(map[string]*graph.Template, len(labels))
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		v := labels[name]
		path := "labels." + name
		t, err := graph.CompileTemplate(v, seen)
		switch {
		case name == graph.SweepLabel && s.sweep != nil:
			f.Refuse(path, graph.CodeBadValue, "is what the dispatches of a firing are called together; use another label")
		case !labelPattern().MatchString(name):
			f.Refuse(path, graph.CodeBadName, "%s is not a label: letters, digits, dot, dash, slash and underscore, 63 at most", show(name))
		case err != nil:
			s.refuse(f, path, err)
		default:
			s.labels[name] = t
			f.Set(path, v, FromTrigger)
		}
	}
}

// refuse notes what the compiler of expressions says, with our path before its own.
func (s *spec) refuse(f *Fields, path string, err error) {
	hint := ""
	if s.batched && strings.Contains(err.Error(), "event") {
		hint = " (with batch.size above 1 inputs and labels see the list `events`, not `event`)"
	}
	noteAt(f, path, err, hint)
}

func noteAt(f *Fields, path string, err error, hint string) {
	var invalid *graph.Invalid
	if !errors.As(err, &invalid) {
		f.Refuse(path, graph.CodeExpression, "%s%s", err, hint)
		return
	}
	for _, p := range invalid.Problems {
		f.Refuse(path+p.Path, p.Code, "%s%s", p.Message, hint)
	}
}

// compileOne compiles a field that is one expression over `event`.
func compileOne(f *Fields, field string, env graph.Env) *graph.Template {
	if !f.Has(field) {
		f.take(field)
		return nil
	}
	text, ok := f.raw[field].(string)
	if f.Text(field, ""); !ok {
		return nil
	}
	t, err := graph.CompileTemplate(strings.TrimSpace(text), env)
	if err != nil {
		noteAt(f, field, err, "")
		return nil
	}
	if _, constant := t.Constant(); constant {
		f.Refuse(field, graph.CodeExpression, "must be an expression over `event`, such as ${{ event.… }}")
		return nil
	}
	return t
}
