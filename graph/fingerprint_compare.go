package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Compared says what a fingerprint is compared with.
type Compared struct {
	Before   Fingerprint
	Lattice  *Lattice                // that Before is of; nil: it can't be read
	RanAgain func(electron int) bool // tells which electrons of the lattice were not reused
}

// maxReasons is how many changes are named.
const maxReasons = 3

// Differences says in words why the result of electron i can't be that of before; empty
// when it can. The contents of paths are left to who can look at them.
func (l *Lattice) Differences(i int, now Fingerprint, c Compared) string {
	e := &l.Electrons[i]
	was := c.Before
	ds := l.fixedChanges(now, c)
	ds = append(ds, l.wordChanges(e, was.Run, now.Run, c)...)
	for _, name := range bothKeys(was.Args, now.Args) {
		ds = append(ds, l.changed("args."+name, was.Args, now.Args, name, e.Args[name], c)...)
	}
	for _, name := range bothKeys(was.Env, now.Env) {
		ds = append(ds, l.changed("env."+name, was.Env, now.Env, name, e.Env[name], c)...)
	}
	for _, name := range bothKeys(was.In, now.In) {
		if was.In[name] != now.In[name] {
			ds = append(ds, l.handedOver(e, name, c))
		}
	}
	return reasons(ds)
}

// handedOver names a file or a python object of another electron that differs.
func (l *Lattice) handedOver(e *Spec, name string, c Compared) string {
	if arg, ok := strings.CutPrefix(name, "args."); ok {
		return l.differs(name, hashed, hashed, e.Args[arg], c)
	}
	for _, r := range e.refs {
		if strings.HasPrefix(name, "in/"+l.Electrons[r.electron].Name+"/") && c.RanAgain != nil && c.RanAgain(r.electron) {
			return upstream(l.Electrons[r.electron].Name, "files")
		}
	}
	return name + " differs"
}

func upstream(name, field string) string {
	if field == "files" {
		return "upstream " + name + " ran again and its files differ"
	}
	return "upstream " + name + " ran again and its " + field + " differs"
}

// FixedDifferences is Differences of what is known of electron i before any value is.
func (l *Lattice) FixedDifferences(i int, c Compared) string {
	return reasons(l.fixedChanges(l.Fingerprint(i, Resolved{}, nil, nil), c))
}

// fixedChanges compares what doesn't depend on values.
func (l *Lattice) fixedChanges(now Fingerprint, c Compared) (ds []string) {
	was := c.Before
	switch {
	case was.Kind != now.Kind:
		ds = append(ds, "it was "+was.Kind+", is "+now.Kind)
	case was.Body != now.Body:
		ds = append(ds, "its "+now.Kind+" changed")
	}
	if was.Include != now.Include {
		ds = append(ds, l.includeChanges(c.Lattice)...)
	}
	if was.Outputs != now.Outputs {
		ds = append(ds, "its outputs changed")
	}
	if was.Result != now.Result {
		ds = append(ds, "result was "+orDefault(was.Result)+", is "+orDefault(now.Result))
	}
	return ds
}

// reasons joins what changed, the first of them when there are many.
func reasons(all []string) string {
	var ds []string
	for _, d := range all {
		if !slices.Contains(ds, d) {
			ds = append(ds, d)
		}
	}
	if len(ds) <= maxReasons {
		return strings.Join(ds, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(ds[:maxReasons], "; "), len(ds)-maxReasons)
}

func orDefault(mode string) string {
	if mode == "" {
		return "not set"
	}
	return mode
}

// changed compares one named value.
func (l *Lattice) changed(what string, was, now map[string]string, name string, t *Template, c Compared) []string {
	before, had := was[name]
	after, has := now[name]
	switch {
	case had && has && before == after:
		return nil
	case !had:
		return []string{what + " is new"}
	case !has:
		return []string{what + " is gone"}
	}
	return []string{l.differs(what, before, after, t, c)}
}

func (l *Lattice) differs(what, before, after string, t *Template, c Compared) string {
	if t != nil {
		for _, r := range t.refs {
			if c.RanAgain != nil && c.RanAgain(r.electron) {
				return upstream(l.Electrons[r.electron].Name, r.field)
			}
		}
	}
	if strings.HasPrefix(what, "env.") || strings.HasPrefix(before, hashed) || strings.HasPrefix(after, hashed) {
		return what + " differs"
	}
	return what + " was " + before + ", is " + after
}

// wordChanges compares the words of run.
func (l *Lattice) wordChanges(e *Spec, was, now []string, c Compared) (ds []string) {
	if e.Body.Kind != "run" {
		return nil
	}
	if len(was) != len(now) {
		return []string{fmt.Sprintf("run had %d words, has %d", len(was), len(now))}
	}
	for i := range now {
		if was[i] != now[i] {
			var t *Template
			if i < len(e.Run) {
				t = e.Run[i]
			}
			ds = append(ds, l.differs(item("run", i), was[i], now[i], t, c))
		}
	}
	return ds
}

// includeChanges names the packed files that changed since before.
func (l *Lattice) includeChanges(before *Lattice) []string {
	if before == nil {
		return []string{"the included files changed"}
	}
	var ds []string
	for _, name := range bothKeys(before.Include, l.Include) {
		was, had := before.Include[name]
		is, has := l.Include[name]
		switch {
		case !had:
			ds = append(ds, name+" is new")
		case !has:
			ds = append(ds, name+" is gone")
		case was.hash() != is.hash():
			ds = append(ds, name+" changed")
		}
	}
	return ds
}

func bothKeys[V any](a, b map[string]V) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}
