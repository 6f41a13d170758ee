package graph

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// Bound is one of a sweep: what the sweep sets, and the effective inputs.
type Bound struct {
	Set    map[string]any
	Inputs []byte // a JSON object
}

// Bind checks each combination against the lattice, over the inputs that all have. The
// error is an *Invalid whose problems say where a value stands and which combination
// fails because of it.
func (s Sweep) Bind(l *Lattice, base map[string]any) ([]Bound, error) {
	all := make([]Bound, 0, s.Count())
	failed := misfits{sweep: s, total: s.Count(), seen: map[string]int{}}
	size := 0
	for i, set := range s.All() {
		inputs := maps.Clone(set)
		for name, v := range base {
			if _, over := set[name]; !over {
				inputs[name] = v
			}
		}
		bound, err := l.Bind(inputs)
		if err != nil {
			if !failed.add(l, i, set, err) {
				break
			}
			continue
		}
		raw, err := Canonical(bound)
		if err != nil {
			return nil, fmt.Errorf("inputs: %w", err)
		}
		if size += len(raw); size > MaxSweepBytes {
			return nil, &Invalid{Problems: []Problem{{Code: CodeTooLarge, Message: fmt.Sprintf(
				"the inputs of the first %d of %d combinations take more than %d MiB together; put what is large into a file", i+1, failed.total, MaxSweepBytes>>20)}}}
		}
		all = append(all, Bound{set, raw})
	}
	return all, failed.err()
}

// misfits gathers what is wrong with combinations, each thing once.
type misfits struct {
	sweep Sweep
	total int
	seen  map[string]int // position in found
	found []misfit
	other error // not about inputs
}

type misfit struct {
	Problem
	first string // the combination
	n     int
}

// add tells whether to go on.
func (m *misfits) add(l *Lattice, i int, set map[string]any, err error) bool {
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		m.other = err
		return false
	}
	for _, p := range invalid.Problems {
		if name, rest, ok := inputOf(p.Path); ok {
			p.Path = m.sweep.place(i, name) + rest
			if v, over := set[name]; over && rest == "" {
				p.Message += listOfLists(l, name, v)
			}
		}
		key := p.Path + "\x00" + p.Message
		at, known := m.seen[key]
		if !known {
			if len(m.found) == maxProblems {
				return false
			}
			at = len(m.found)
			m.seen[key] = at
			m.found = append(m.found, misfit{Problem: p, first: fmt.Sprintf("combination %d of %d (%s)", i+1, m.total, m.sweep.said(set))})
		}
		m.found[at].n++
	}
	return true
}

func (m *misfits) err() error {
	if m.other != nil || len(m.found) == 0 {
		return m.other
	}
	out := &Invalid{}
	for _, f := range m.found {
		p := f.Problem
		switch {
		case f.n == 1:
			p.Message = f.first + ": " + p.Message
		case f.n < m.total:
			p.Message = fmt.Sprintf("%s and %d more: %s", f.first, f.n-1, p.Message)
		}
		out.Problems = append(out.Problems, p)
	}
	return out
}

// inputOf cuts inputs.bins[2] into bins and [2].
func inputOf(path string) (name, rest string, ok bool) {
	name, ok = strings.CutPrefix(path, "inputs.")
	if end := strings.IndexAny(name, ".["); end >= 0 {
		return name[:end], name[end:], ok
	}
	return name, "", ok
}

// listOfLists is what to do when the values of an input that takes a list were meant.
func listOfLists(l *Lattice, name string, v any) string {
	for _, in := range l.Inputs {
		if _, list := v.([]any); in.Name == name && in.Type == string(Array) && !list {
			return "; it takes a list itself, so a sweep of it is a list of lists"
		}
	}
	return ""
}
