package graph

import (
	"maps"
	"slices"
)

// everyInput stands for inputs of which an expression doesn't say before the run which.
const everyInput = "*"

// input notes which input a chain looks at.
func (r *rewriter) input(p *accessPath) {
	name, ok := p.steps[0].key.(string)
	if !ok {
		name = everyInput
	}
	r.inputs = append(r.inputs, name)
}

// isPath tells an input that names a file or a folder.
func (in *Input) isPath() bool { return in.Format == "path" || in.Format == "directory" }

// Paths names the inputs with a path that run, env and args of electron i look at.
func (l *Lattice) Paths(i int) []string { return l.Electrons[i].paths }

func (l *Lattice) pathsOf(e *Spec) []string {
	if !slices.ContainsFunc(l.Inputs, func(in Input) bool { return in.isPath() }) {
		return nil
	}
	seen := map[string]bool{}
	for _, t := range e.Run {
		t.root.inputs(seen)
	}
	for _, named := range []map[string]*Template{e.Env, e.Args} {
		for _, t := range maps.All(named) {
			if t != nil {
				t.root.inputs(seen)
			}
		}
	}
	var paths []string
	for i := range l.Inputs { // sorted by name
		if in := &l.Inputs[i]; in.isPath() && (seen[in.Name] || seen[everyInput]) {
			paths = append(paths, in.Name)
		}
	}
	return paths
}

func (literal) inputs(map[string]bool) {}

func (p *program) inputs(seen map[string]bool) {
	for _, name := range p.inputNames {
		seen[name] = true
	}
}

func (t text) inputs(seen map[string]bool) {
	for _, p := range t {
		p.inputs(seen)
	}
}

func (l items) inputs(seen map[string]bool) {
	for _, p := range l {
		p.inputs(seen)
	}
}

func (m entries) inputs(seen map[string]bool) {
	for _, e := range m {
		e.value.inputs(seen)
	}
}
