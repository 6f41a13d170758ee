package graph

import (
	"maps"
	"slices"
	"strings"
)

// condition compiles `if`. What can't be a boolean is a problem now.
func (b *builder) condition(t *tree, path string) *Template {
	before := len(b.problems.list)
	if s, ok := t.text(); ok {
		trimmed := *t
		trimmed.value = strings.TrimSpace(s)
		t = &trimmed
	}
	c := b.template(t, path)
	if len(b.problems.list) > before {
		return c
	}
	if v, constant := c.Constant(); constant && c.typ != Boolean {
		hint := ""
		if s, ok := v.(string); ok && ValidName(s) {
			hint = "; write true or false without quotes"
		} else if ok && s != "" {
			hint = "; write ${{ " + s + " }}"
		}
		b.problem(t, path, CodeWrongType, "if is true or false, not %s%s", describe(v), hint)
	} else if c.typ != Boolean && c.typ != Any {
		b.problem(t, path, CodeExpression, "if is true or false, this is %s", c.typ.word())
	}
	return c
}

// link turns the references of the templates into needs.
func (b *builder) link() {
	b.lattice.late = b.compiler.late
	for i := range b.lattice.Electrons {
		e := &b.lattice.Electrons[i]
		e.refs = e.references()
		e.paths = b.lattice.pathsOf(e)
		needs := make(map[int]Need, len(e.Needs)+len(e.refs))
		for _, n := range e.Needs {
			needs[n.Electron] = n
		}
		all := e.refs
		if e.If != nil {
			all = append(slices.Clone(all), e.If.refs...)
		}
		for k, r := range all {
			n, ok := needs[r.electron]
			optional := r.optional && (!ok || !n.Data || n.Optional)
			needs[r.electron] = Need{Electron: r.electron, Data: true, Optional: optional, Order: n.Order && k >= len(e.refs)}
		}
		e.Needs = e.Needs[:0]
		for _, at := range slices.Sorted(maps.Keys(needs)) {
			e.Needs = append(e.Needs, needs[at])
		}
	}
}

// references collects what run, env and args need, without `if`.
func (e *Spec) references() []ref {
	var refs []ref
	for _, t := range e.Run {
		refs = append(refs, t.refs...)
	}
	for _, named := range []map[string]*Template{e.Env, e.Args} {
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if t := named[name]; t != nil {
				refs = append(refs, t.refs...)
			}
		}
	}
	return refs
}

// Use is what must be known of an electron before expressions can be evaluated.
type Use struct {
	Electron int
	Result   bool
	Stdout   bool
	Files    []string // of outputs; sorted
}

// Uses returns what Condition and Resolve of electron i will look at.
func (l *Lattice) Uses(i int) []Use {
	e := &l.Electrons[i]
	refs := e.refs
	if e.If != nil {
		refs = append(slices.Clone(refs), e.If.refs...)
	}
	return l.uses(refs)
}

// Late tells whether expressions of electrons look at something of the dispatch that is
// known only once it is stored: its number, its root, the name of its trigger.
func (l *Lattice) Late() bool { return l.late }

// OutputUses returns what Compose will look at.
func (l *Lattice) OutputUses() []Use {
	if l.Output != nil {
		return l.uses(l.Output.refs)
	}
	var uses []Use
	for i := range l.Electrons {
		if l.edges().leaf(i) {
			uses = append(uses, Use{Electron: i, Result: true})
		}
	}
	return uses
}

func (l *Lattice) uses(refs []ref) []Use {
	if len(refs) == 0 {
		return nil
	}
	found := map[int]*Use{}
	for _, r := range refs {
		u := found[r.electron]
		if u == nil {
			u = &Use{Electron: r.electron}
			found[r.electron] = u
		}
		switch r.field {
		case "result":
			u.Result = true
		case "stdout":
			u.Stdout = true
		case "files":
			u.Files = append(u.Files, l.filesOf(r)...)
		}
	}
	uses := make([]Use, 0, len(found))
	for _, i := range slices.Sorted(maps.Keys(found)) {
		u := found[i]
		slices.Sort(u.Files)
		u.Files = slices.Compact(u.Files)
		uses = append(uses, *u)
	}
	return uses
}

// filesOf names the outputs that a reference reaches.
func (l *Lattice) filesOf(r ref) []string {
	if r.field != "files" {
		return nil
	}
	if r.file != "" {
		return []string{r.file}
	}
	outputs := l.Electrons[r.electron].Outputs
	names := make([]string, len(outputs))
	for i, o := range outputs {
		names[i] = o.Name
	}
	return names
}

func (l *Lattice) edges() *dag {
	if l.dag != nil {
		return l.dag
	}
	return newDAG(l.Electrons)
}

// Index returns the position of a named electron.
func (l *Lattice) Index(name string) (int, bool) {
	i, ok := l.index[name]
	return i, ok
}

// cycles reports each group of electrons that wait for each other, with one way round.
func (b *builder) cycles() {
	const (
		unseen = iota
		open   // on the way that is being followed
		done
	)
	electrons := b.lattice.Electrons
	state := make([]uint8, len(electrons))
	for start := range electrons {
		if state[start] != unseen {
			continue
		}
		// way is the stack of a depth-first search, next the edge each one tries next.
		way, next := []int{start}, []int{0}
		state[start] = open
		for len(way) > 0 {
			at := way[len(way)-1]
			needs := electrons[at].Needs
			if next[len(next)-1] == len(needs) {
				state[at] = done
				way, next = way[:len(way)-1], next[:len(next)-1]
				continue
			}
			to := needs[next[len(next)-1]].Electron
			next[len(next)-1]++
			switch state[to] {
			case open:
				b.cycle(way[slices.Index(way, to):])
			case unseen:
				state[to] = open
				way, next = append(way, to), append(next, 0)
			}
		}
	}
}

// cycle reports one way round; each needs the one before it in the message.
func (b *builder) cycle(way []int) {
	names := make([]string, 0, len(way)+1)
	first := slices.Index(way, slices.Min(way))
	for k := range way {
		names = append(names, b.names[way[(first+k)%len(way)]])
	}
	name := names[0]
	path := join("electrons", name)
	if len(way) == 1 {
		b.problem(b.electron[name], path, CodeCycle, "%s needs itself", name)
		return
	}
	b.problem(b.electron[name], path, CodeCycle, "electrons need each other in a cycle: %s", strings.Join(append(names, name), " → "))
}
