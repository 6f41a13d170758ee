package graph

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Replace returns the lattice with other documents in the place of electrons, checked
// as a whole. A document is YAML or JSON. The error is an *Invalid; what is wrong within
// a replacement has the path replace_electrons.NAME….
func (l *Lattice) Replace(electrons map[string][]byte) (*Lattice, error) {
	root, err := jsonTree(l.Document, false)
	if err != nil {
		return nil, invalidAt(l.Document, err)
	}
	own := root.get("electrons")
	names := make([]string, len(l.Electrons))
	for i := range l.Electrons {
		names[i] = l.Electrons[i].Name
	}
	var ps problems
	for _, name := range slices.Sorted(maps.Keys(electrons)) {
		at := join("replace_electrons", name)
		if _, known := l.index[name]; !known {
			ps.add(Problem{Path: at, Code: CodeUnknownName, Message: fmt.Sprintf("there is no electron %s in lattice %s%s", quote(name), l.Name, didYouMean(name, names))})
			continue
		}
		t, err := readTree(electrons[name])
		if err != nil {
			for _, p := range under(at, err) {
				ps.add(p)
			}
			continue
		}
		t.place(pos{})
		for i := range own.members {
			if own.members[i].key == name {
				own.members[i].value = t
			}
		}
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	out, err := build(nil, root)
	if err != nil {
		return nil, replaced(err, electrons)
	}
	return out, nil
}

// under puts the problems of err below a path.
func under(at string, err error) []Problem {
	var found *Invalid
	if !errors.As(err, &found) {
		return []Problem{{Path: at, Code: CodeSyntax, Message: err.Error()}}
	}
	ps := slices.Clone(found.Problems)
	for i := range ps {
		ps[i].Path = strings.TrimSuffix(at+"."+ps[i].Path, ".")
	}
	return ps
}

// replaced says of problems within replacements where they came from.
func replaced(err error, electrons map[string][]byte) error {
	var found *Invalid
	if !errors.As(err, &found) {
		return err
	}
	ps := slices.Clone(found.Problems)
	for i := range ps {
		ps[i].Line, ps[i].Column = 0, 0
		for name := range electrons {
			if rest, ok := strings.CutPrefix(ps[i].Path, join("electrons", name)); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
				ps[i].Path = join("replace_electrons", name) + rest
			}
		}
	}
	return &Invalid{Problems: ps}
}

// Downstream returns the named electrons and all that need them, directly or not, in
// the order of the document. The error is an *Invalid with the path electrons[i].
func (l *Lattice) Downstream(named []string) ([]int, error) {
	var ps problems
	var known []string
	found := make([]bool, len(l.Electrons))
	var next []int
	for k, name := range named {
		i, ok := l.index[name]
		if !ok {
			if known == nil {
				for j := range l.Electrons {
					known = append(known, l.Electrons[j].Name)
				}
			}
			ps.add(Problem{Path: item("electrons", k), Code: CodeUnknownName, Message: fmt.Sprintf("there is no electron %s%s", quote(name), didYouMean(name, known))})
		} else if !found[i] {
			found[i] = true
			next = append(next, i)
		}
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	for ; len(next) > 0; next = next[1:] {
		for _, e := range l.edges().dependents(next[0]) {
			if !found[e.to] {
				found[e.to] = true
				next = append(next, int(e.to))
			}
		}
	}
	var all []int
	for i, in := range found {
		if in {
			all = append(all, i)
		}
	}
	return all, nil
}
