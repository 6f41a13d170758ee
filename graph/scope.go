package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Scope is what the expressions of one dispatch can see.
type Scope struct {
	Inputs    map[string]any      // effective inputs, as Bind returned them
	Dispatch  map[string]any      // id, number, parent_id, root_id, trigger, labels
	Electrons map[string]*Outcome // by name, those that ended; nil: skipped
}

// Outcome is what an electron left, as expressions see it.
type Outcome struct {
	Result any
	// Files holds, by output name, what electrons.X.files.NAME is: for electrons the
	// path InPath. An optional output that is missing has no entry.
	Files  map[string]any
	Stdout func() (string, error) // called only when an expression needs it; nil: ""
}

// FileRef is a kept output that an electron refers to.
type FileRef struct {
	Electron int
	Name     string
}

// Resolved is an electron's part of a task, with no expression left in it.
type Resolved struct {
	Argv  []string          // of run; nil otherwise
	Env   map[string]string // text as is, other values as compact JSON
	Unset []string          // names whose value is null, sorted
	Args  map[string]any    // nil when it declares none

	// ResultArgs names the arguments that are exactly electrons.X.result, with the
	// index of X: a python consumer may be handed the python object instead.
	ResultArgs map[string]int

	// Files are the outputs to lay out at InPath, each once, those that exist.
	Files []FileRef
}

// InPath is where the output name of an electron lies in a consumer's directory.
func InPath(electron, name string) string { return "in/" + electron + "/" + name }

// Condition evaluates the `if` of electron i; without one it is true. What is not a
// boolean is an error. Errors are *EvalError, or those of Outcome.Stdout.
func (l *Lattice) Condition(i int, s Scope) (bool, error) {
	t := l.Electrons[i].If
	if t == nil {
		return true, nil
	}
	vars, err := l.vars(s, t.refs)
	if err != nil {
		return false, err
	}
	v, err := t.eval(vars)
	if err != nil {
		return false, within("if", err)
	}
	b, ok := v.(bool)
	if !ok {
		return false, &EvalError{Where: "if", Message: "true or false is expected, not " + describe(v)}
	}
	return b, nil
}

// Resolve evaluates everything of electron i but its condition. Errors are
// *EvalError, or those of Outcome.Stdout.
func (l *Lattice) Resolve(i int, s Scope) (Resolved, error) {
	e := &l.Electrons[i]
	var r Resolved
	vars, err := l.vars(s, e.refs)
	if err != nil {
		return r, err
	}
	for k, t := range e.Run {
		word, err := argument(item("run", k), t, vars)
		if err != nil {
			return r, err
		}
		r.Argv = append(r.Argv, word)
	}
	if err := r.environment(e.Env, vars); err != nil {
		return r, err
	}
	if err := r.arguments(e.Args, vars, s, l); err != nil {
		return r, err
	}
	r.Files = l.layout(e.refs, s)
	return r, nil
}

// argument evaluates a word of argv or of the environment.
func argument(where string, t *Template, vars map[string]any) (string, error) {
	v, err := t.eval(vars)
	if err != nil {
		return "", within(where, err)
	}
	if v == nil {
		return "", &EvalError{Where: where, Message: "the value is null; give another one with ??"}
	}
	return word(where, v)
}

// word is a value as a program gets it.
func word(where string, v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		s = compact(v)
	}
	if strings.Contains(s, "\x00") {
		return "", &EvalError{Where: where, Message: "the value has a NUL character in it, which no program can be given; use args"}
	}
	return s, nil
}

func (r *Resolved) environment(env map[string]*Template, vars map[string]any) error {
	if len(env) > 0 {
		r.Env = make(map[string]string, len(env))
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		t := env[name]
		if t == nil {
			r.Unset = append(r.Unset, name)
			continue
		}
		where := join("env", name)
		v, err := t.eval(vars)
		if err != nil {
			return within(where, err)
		}
		if v == nil {
			r.Unset = append(r.Unset, name)
			continue
		}
		if r.Env[name], err = word(where, v); err != nil {
			return err
		}
	}
	return nil
}

func (r *Resolved) arguments(args map[string]*Template, vars map[string]any, s Scope, l *Lattice) error {
	if args == nil {
		return nil
	}
	r.Args = make(map[string]any, len(args))
	for _, name := range slices.Sorted(maps.Keys(args)) {
		v, err := args[name].eval(vars)
		if err != nil {
			return within(join("args", name), err)
		}
		r.Args[name] = v
		p, ok := args[name].root.(*program)
		if !ok || p.result < 0 || s.Electrons[l.Electrons[p.result].Name] == nil {
			continue
		}
		if r.ResultArgs == nil {
			r.ResultArgs = map[string]int{}
		}
		r.ResultArgs[name] = p.result
	}
	return nil
}

// layout lists the referenced files that exist.
func (l *Lattice) layout(refs []ref, s Scope) []FileRef {
	var files []FileRef
	seen := map[FileRef]bool{}
	for _, r := range refs {
		o := s.Electrons[l.Electrons[r.electron].Name]
		if o == nil {
			continue
		}
		for _, name := range l.filesOf(r) {
			f := FileRef{Electron: r.electron, Name: name}
			if _, exists := o.Files[name]; exists && !seen[f] {
				seen[f] = true
				files = append(files, f)
			}
		}
	}
	return files
}

// Compose computes the result of the dispatch when all electrons have ended: the
// `output`, or {leaf: result} for the electrons that nothing needs. In it everything
// of a skipped electron is null.
func (l *Lattice) Compose(s Scope) (any, error) {
	if l.Output == nil {
		leaves := map[string]any{}
		for _, u := range l.OutputUses() {
			name := l.Electrons[u.Electron].Name
			leaves[name] = nil
			if o := s.Electrons[name]; o != nil {
				leaves[name] = o.Result
			}
		}
		return leaves, nil
	}
	vars, err := l.vars(s, l.Output.refs)
	if err != nil {
		return nil, err
	}
	v, err := l.Output.eval(vars)
	if err != nil {
		return nil, within("output", err)
	}
	return v, nil
}

// vars builds the variables of one evaluation, with the electrons that refs name.
func (l *Lattice) vars(s Scope, refs []ref) (map[string]any, error) {
	electrons := make(map[string]any)
	for _, r := range refs {
		name := l.Electrons[r.electron].Name
		o, known := s.Electrons[name]
		if !known {
			return nil, fmt.Errorf("the outcome of electron %s is not in the scope", name)
		}
		if o == nil {
			electrons[name] = nil
			continue
		}
		fields, _ := electrons[name].(map[string]any)
		if fields == nil {
			files := o.Files
			if files == nil {
				files = map[string]any{}
			}
			fields = map[string]any{"result": o.Result, "files": files, "stdout": ""}
			electrons[name] = fields
		}
		if r.field == "stdout" && o.Stdout != nil {
			text, err := o.Stdout()
			if err != nil {
				return nil, fmt.Errorf("stdout of electron %s: %w", name, err)
			}
			fields["stdout"] = text
		}
	}
	return map[string]any{
		"inputs": orEmpty(s.Inputs), "dispatch": orEmpty(s.Dispatch), "electrons": electrons, hidBudget: newBudget(),
	}, nil
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
