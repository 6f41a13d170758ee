package chain

import (
	"maps"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Name is the name of the kind.
const Name = "dispatch"

// Kind is the kind "dispatch".
func Kind(f *triggers.Fields) triggers.Made {
	s := &source{}
	name := f.Text("name", "")
	if f.Has("of") {
		f.Nested("of", func(f *triggers.Fields) { s.of = readOf(f) })
	} else {
		f.Alias("of")
		f.Refuse("of", graph.CodeMissing, "is missing: say which dispatches to follow: {lattice: NAME}, {trigger: NAME} or {label: {NAME: VALUE}}, and status unless completed is meant")
	}
	return triggers.Made{
		Source: s, Follows: &s.of,
		Warnings: ownEnds(name, &s.of),
		Event: graph.Env{
			"id": graph.String, "number": graph.Integer, "lattice": graph.String, "lattice_id": graph.String,
			"status": graph.String, "inputs": graph.Object, "result": graph.Any, "error": graph.Any, "labels": graph.Object,
			"trigger": graph.String, "parent_id": graph.String, "root_id": graph.String, "time": graph.String,
		},
	}
}

func readOf(f *triggers.Fields) (o triggers.Follows) {
	o.Lattice, o.Trigger = f.Text("lattice", ""), f.Text("trigger", "")
	label := f.Object("label")
	for _, name := range slices.Sorted(maps.Keys(label)) {
		value, ok := label[name].(string)
		if !ok {
			f.Refuse("label."+name, graph.CodeWrongType, "must be text, as all labels are")
			continue
		}
		if o.Label == nil {
			o.Label = map[string]string{}
		}
		o.Label[name] = value
		f.Set("label."+name, value, triggers.FromTrigger)
	}
	ends := []string{string(graph.Completed), string(graph.Failed), string(graph.Cancelled)}
	for _, s := range f.Words("status", ends[:1], ends...) {
		o.Status = append(o.Status, graph.Status(s))
	}
	if list, given := f.Value("status", nil).([]any); given && len(list) == 0 {
		f.Refuse("status", graph.CodeBadValue, "names no end; give some of %s", strings.Join(ends, ", "))
	}
	f.Set("status", o.Status, statusFrom(f))
	if o.Lattice == "" && o.Trigger == "" && len(label) == 0 {
		f.Refuse("lattice", graph.CodeMissing, "give at least one of lattice, trigger and label: among the ends of all dispatches are those that this trigger makes")
	}
	return o
}

func statusFrom(f *triggers.Fields) string {
	if f.Has("status") {
		return triggers.FromTrigger
	}
	return triggers.FromDefault
}

// ownEnds warns of a trigger that follows what it has fired itself.
func ownEnds(name string, o *triggers.Follows) []graph.Warning {
	if name == "" || o.Trigger != name {
		return nil
	}
	return []graph.Warning{{Code: triggers.WarnLoop, Message: "the trigger follows the ends of its own dispatches, so that each leads to the next; the third one after the other is held"}}
}
