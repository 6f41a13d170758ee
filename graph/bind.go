package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// binder holds the compiled schemas of the inputs.
type binder struct {
	schemas []namedSchema
}

type namedSchema struct {
	name   string
	schema *jsonschema.Schema
}

func (b *binder) schema(name string) *jsonschema.Schema {
	for i := range b.schemas {
		if b.schemas[i].name == name {
			return b.schemas[i].schema
		}
	}
	return nil
}

// Bind checks inputs against what the lattice declares and adds the defaults. The
// map given is left as it is. The error is an *Invalid that lists every problem,
// with paths such as inputs.bins. A path must be absolute.
func (l *Lattice) Bind(inputs map[string]any) (map[string]any, error) {
	var ps problems
	names := make([]string, len(l.Inputs))
	for i, in := range l.Inputs {
		names[i] = in.Name
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if !slices.Contains(names, name) {
			ps.add(Problem{Path: join("inputs", name), Code: CodeUnknownName, Message: l.noInput(name, names)})
		}
	}
	bound := make(map[string]any, len(l.Inputs))
	for _, in := range l.Inputs {
		path := join("inputs", in.Name)
		v, given := inputs[in.Name]
		switch {
		case given:
			n, err := normalize(v, nil)
			if err != nil {
				ps.add(Problem{Path: path, Code: CodeInput, Message: err.Error()})
				continue
			}
			n, wrong := check(l.binder.schema(in.Name), in, n, path)
			for _, p := range wrong {
				ps.add(p)
			}
			bound[in.Name] = n
		case in.Required:
			ps.add(Problem{Path: path, Code: CodeMissingInput, Message: missingInput(in)})
		default:
			bound[in.Name] = in.Default
		}
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	return bound, nil
}

func (l *Lattice) noInput(name string, names []string) string {
	hint := didYouMean(name, names)
	if hint == "" && len(names) > 0 {
		hint = "; it has " + strings.Join(names, ", ")
	} else if hint == "" {
		hint = "; it has none"
	}
	return fmt.Sprintf("the lattice %s has no input %s%s", l.Name, quote(name), hint)
}

func missingInput(in Input) string {
	what := in.Type
	if in.Format == "path" || in.Format == "directory" {
		what = "an absolute " + in.Format
	}
	if what == "" {
		return "a value is missing, and it has no default"
	}
	return "a value (" + what + ") is missing, and it has no default"
}
