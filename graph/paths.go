package graph

import (
	"maps"
	"slices"
	"strings"
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

// namesPaths tells whether a schema says of a value, or of something in it, that it is
// the path of a file or a folder.
func namesPaths(schema any) bool {
	switch schema := schema.(type) {
	case map[string]any:
		if schema["format"] == "path" || schema["format"] == "directory" {
			return true
		}
		for _, below := range schema {
			if namesPaths(below) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(schema, namesPaths)
	}
	return false
}

// Paths returns the files and folders of inputs with paths that run, env and args of
// electron i look at, by where they stand: image, images[2], scan.dark.
func (l *Lattice) Paths(i int, inputs map[string]any) map[string]string {
	var paths map[string]string
	for _, name := range l.Electrons[i].paths {
		if paths == nil {
			paths = map[string]string{}
		}
		gatherPaths(name, inputs[name], paths)
	}
	return paths
}

func gatherPaths(at string, v any, paths map[string]string) {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(v, "/") { // others are something else that the schema allows there
			paths[at] = v
		}
	case []any:
		for i := range v {
			gatherPaths(item(at, i), v[i], paths)
		}
	case map[string]any:
		for name := range v {
			gatherPaths(join(at, name), v[name], paths)
		}
	}
}

func (l *Lattice) pathsOf(e *Spec) []string {
	if !slices.ContainsFunc(l.Inputs, func(in Input) bool { return in.paths }) {
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
		if in := &l.Inputs[i]; in.paths && (seen[in.Name] || seen[everyInput]) {
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
