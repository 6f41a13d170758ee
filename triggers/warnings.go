package triggers

import (
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/latticed/latticed/graph"
)

// Codes of warnings.
const (
	warnNoMapping  = "no_input_mapping"
	warnNoFormat   = "no_path_format"
	warnDrops      = "overlap_drops"
	warnNoCatchUp  = "no_catch_up"
	warnRejected   = "would_reject"
	warnPaused     = "paused"
	warnNoAnswer   = "no_answer"
	warnFailing    = "failing"
	warnUnreadable = "unreadable"
)

// WarnLoop is the code of a warning about a trigger that may feed itself.
const WarnLoop = "loop_possible"

// wholePath is a mapping whose value is a path of the event, or one that begins with it.
var wholePath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*\$\{\{\s*event\.(path|src_path|dir)\s*\}\}(/.*)?\s*$`)
})

// warnings are said beside a registration that works: what is likely to bite later.
func (p *plan) warnings() []graph.Warning {
	ws := append(p.mappingWarnings(), p.made.Warnings...)
	if f := p.made.Follows; f != nil && f.Lattice != "" && (f.Lattice == p.lattice.Name || f.Lattice == p.lattice.ID) {
		ws = append(ws, graph.Warning{Code: WarnLoop, Message: "the trigger runs lattice " + p.lattice.Name + " and follows its ends, so that each dispatch leads to the next; the third one after the other is held, unless loop is allow"})
	}
	if w := p.dropWarning(); w.Code != "" {
		ws = append(ws, w)
	}
	for _, s := range p.settings {
		if s.Field == "catch_up" && s.Value == "none" {
			ws = append(ws, graph.Warning{Code: warnNoCatchUp, Message: "catch_up is none: what is due while the daemon does not run never runs; the default is last"})
		}
	}
	return ws
}

func (p *plan) mappingWarnings() []graph.Warning {
	if len(p.spec.inputs) == 0 && p.sweep == nil {
		message := "there is no input mapping: every dispatch gets the defaults of lattice " + p.lattice.Name + "; map inputs from `event` to use what happened"
		if p.parent != nil {
			message = fmt.Sprintf("there is no input mapping: every dispatch gets the inputs of dispatch %d; map inputs from `event` to use what happened", p.parent.Number)
		}
		return []graph.Warning{{Code: warnNoMapping, Message: message}}
	}
	var ws []graph.Warning
	for _, in := range p.lattice.Inputs {
		if in.Format != "path" && in.Format != "directory" && slices.Contains(p.paths, in.Name) {
			ws = append(ws, graph.Warning{Code: warnNoFormat, Message: fmt.Sprintf(
				"the input %s gets a path, but lattice %s does not say so: it is not checked, and another file at the same path counts as the same input; declare %s: {type: string, format: path}",
				in.Name, p.lattice.Name, in.Name)})
		}
	}
	return ws
}

// dropWarning is about events that an overlap policy loses, of kinds that keep them
// unless told otherwise.
func (p *plan) dropWarning() graph.Warning {
	was := p.made.Overlap
	if was == "" {
		was = Queue
	}
	if was == p.gate.Overlap {
		return graph.Warning{} // the kind's own choice
	}
	what := ""
	switch p.gate.Overlap {
	case Skip:
		what = fmt.Sprintf("events that come while %s are skipped and do not run later", running(p.gate.Max))
	case QueueLatest:
		what = fmt.Sprintf("of the events that come while %s only the latest runs", running(p.gate.Max))
	case Replace:
		what = "a new event ends what runs for an older one"
	case Allow, Queue:
		return graph.Warning{}
	}
	return graph.Warning{Code: warnDrops, Message: fmt.Sprintf("overlap is %s: %s; with overlap queue each runs", p.gate.Overlap, what)}
}

func running(n int) string {
	if n == 1 {
		return "1 dispatch runs"
	}
	return fmt.Sprintf("%d dispatches run", n)
}

// fits tells whether a value of one type can be one of another.
func fits(have graph.Type, want string) bool {
	w := graph.Type(want)
	switch {
	case have == graph.Any, want == "", have == w:
		return true
	case have == graph.Integer || have == graph.Number:
		return w == graph.Integer || w == graph.Number // 2.0 is a whole number
	}
	return false
}

// typeWord names a type in a sentence.
func typeWord(t graph.Type) string {
	switch t {
	case graph.String:
		return "text"
	case graph.Integer:
		return "a whole number"
	case graph.Number:
		return "a number"
	case graph.Boolean:
		return "true or false"
	case graph.Array:
		return "a list"
	case graph.Object:
		return "an object"
	case graph.Any:
	}
	return string(t)
}
