package graph

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// The defaults of an electron, and what its retries may at most be.
const (
	defaultGrace       = 5 * time.Second
	defaultBackoff     = time.Second
	defaultLost        = 1
	defaultInterpreter = "python3"
	maxRetries         = 1000
)

var (
	envRE        = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })
	pythonCallRE = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([^\n:]+):([A-Za-z_][A-Za-z0-9_]*)$`) })
	pythonMainRE = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^(?:async\s+)?(?:def\s+main\b|main\s*[=:]|class\s+main\b|(?:from\s.*)?import\b.*\bmain\b)`)
	})
)

// readElectron reads the declaration of electron i.
func (b *builder) readElectron(i int) {
	e := &b.lattice.Electrons[i]
	t := b.electron[e.Name]
	path := join("electrons", e.Name)
	e.Executor, e.Grace = b.lattice.Executor, defaultGrace
	e.Retries = Retries{Backoff: defaultBackoff, Lost: defaultLost}
	b.fields(t, path, "an electron", []field{
		{"run", func(t *tree, path string) { b.run(t, path, e) }},
		{"bash", func(t *tree, path string) { b.bash(t, path, e) }},
		{"python", func(t *tree, path string) { b.python(t, path, e) }},
		{"args", func(t *tree, path string) { b.args(t, path, e) }},
		{"env", func(t *tree, path string) { b.env(t, path, e) }},
		{"outputs", func(*tree, string) {}}, // by declare
		{"wait_for", func(t *tree, path string) { b.waitFor(t, path, e) }},
		{"if", func(t *tree, path string) { e.If = b.condition(t, path) }},
		{"executor", func(t *tree, path string) { b.title(t, path, "an executor", &e.Executor) }},
		{"resources", func(t *tree, path string) { b.resources(t, path, e) }},
		{"retries", func(t *tree, path string) { b.retries(t, path, e) }},
		{"timeout", func(t *tree, path string) { b.duration(t, path, true, &e.Timeout) }},
		{"grace", func(t *tree, path string) { b.duration(t, path, false, &e.Grace) }},
		{"result", func(t *tree, path string) { b.word(t, path, &e.Result, "json", "text", "lines") }},
	})
	b.oneBody(t, path)
}

// oneBody makes sure that there is exactly one body.
func (b *builder) oneBody(t *tree, path string) {
	if t.kind != kindMap {
		return
	}
	var bodies []string
	for _, key := range []string{"run", "bash", "python"} {
		if t.get(key) != nil {
			bodies = append(bodies, key)
		}
	}
	switch len(bodies) {
	case 0:
		b.problem(t, path, CodeBody, "nothing to do: give it one of run, bash or python")
	case 1:
	default:
		b.problem(t, path, CodeBody, "it has %s; keep exactly one", strings.Join(bodies, " and "))
	}
}

func (b *builder) run(t *tree, path string, e *Spec) {
	e.Body.Kind = "run"
	if t.kind != kindList {
		b.problem(t, path, CodeWrongType, "run is a list of words, [program, argument, …], not %s; use bash for a line of shell", t.kind)
		return
	}
	if len(t.items) == 0 {
		b.problem(t, path, CodeMissing, "run needs at least the program")
		return
	}
	for i, word := range t.items {
		at := item(path, i)
		switch {
		case word.kind == kindNull:
			b.problem(word, at, CodeWrongType, "a word of run can't be null")
		case word.kind == kindList || word.kind == kindMap:
			b.problem(word, at, CodeWrongType, "a word of run is text, not %s", word.kind)
		case i == 0 && word.value == "":
			b.problem(word, at, CodeBadValue, "the program is empty")
		case strings.Contains(b.scalarText(word), "\x00"):
			b.problem(word, at, CodeBadValue, "a NUL character can't be passed to a program")
		default:
			e.Run = append(e.Run, b.template(word, at))
		}
	}
}

func (b *builder) scalarText(t *tree) string {
	s, _ := t.text()
	return s
}

// script reads a body in which expressions would be pasted into code.
func (b *builder) script(t *tree, path, what string) (string, bool) {
	s, ok := t.text()
	switch {
	case !ok:
		b.problem(t, path, CodeWrongType, "%s is text, not %s", what, t.kind)
	case strings.TrimSpace(s) == "":
		b.problem(t, path, CodeBody, "%s is empty", what)
	case strings.Contains(s, "${{"):
		b.problem(t, path, CodeExpression,
			"expressions are not allowed inside %s: values would become code; pass them by env or args", what)
	case strings.Contains(s, "\x00"):
		b.problem(t, path, CodeBadValue, "%s has a NUL character in it", what)
	default:
		return s, true
	}
	return "", false
}

func (b *builder) bash(t *tree, path string, e *Spec) {
	e.Body.Kind = "bash"
	e.Body.Bash, _ = b.script(t, path, "bash")
}

func (b *builder) python(t *tree, path string, e *Spec) {
	e.Body.Kind, e.Body.Interpreter = "python", defaultInterpreter
	if t.kind != kindMap {
		b.pythonCall(t, path, e)
		return
	}
	b.fields(t, path, "python", []field{
		{"call", func(t *tree, path string) { b.pythonCall(t, path, e) }},
		{"interpreter", func(t *tree, path string) {
			s, ok := b.text(t, path)
			if ok && (strings.TrimSpace(s) == "" || strings.ContainsAny(s, "\x00\n")) {
				b.problem(t, path, CodeBadValue, "the interpreter is a program, such as python3 or /opt/venv/bin/python")
			} else if ok {
				e.Body.Interpreter = s
			}
		}},
	})
	if t.get("call") == nil {
		b.problem(t, path, CodeMissing, "the key call is missing: FILE.py:FUNCTION, or a block that defines main")
	}
}

// pythonCall reads file:function or a block of code.
func (b *builder) pythonCall(t *tree, path string, e *Spec) {
	s, ok := b.script(t, path, "python")
	if !ok {
		return
	}
	if m := pythonCallRE().FindStringSubmatch(strings.TrimSpace(s)); m != nil && !pythonMainRE().MatchString(s) {
		e.Body.PythonFile, e.Body.PythonFunc = m[1], m[2]
		if _, ok := b.lattice.Include[m[1]]; !ok {
			b.problem(t, path, CodeInclude, "%s is not among the included files%s", quote(m[1]), b.includeHint(m[1]))
		}
		return
	}
	if !pythonMainRE().MatchString(s) {
		b.problem(t, path, CodeBody, "python is FILE.py:FUNCTION, or a block that defines main")
		return
	}
	e.Body.PythonCode, e.Body.PythonFunc = s, "main"
}

func (b *builder) args(t *tree, path string, e *Spec) {
	if t.kind != kindMap {
		b.problem(t, path, CodeWrongType, "args is a mapping of names to values, not %s", t.kind)
		return
	}
	e.Args = make(map[string]*Template, len(t.members))
	for _, m := range t.members {
		at := join(path, m.key)
		if !ValidName(m.key) {
			b.problemAt(m.pos, at, CodeBadName, "%s", badName("an argument", m.key))
			continue
		}
		e.Args[m.key] = b.template(m.value, at)
	}
}

func (b *builder) env(t *tree, path string, e *Spec) {
	if t.kind != kindMap {
		b.problem(t, path, CodeWrongType, "env is a mapping of names to values, not %s", t.kind)
		return
	}
	e.Env = make(map[string]*Template, len(t.members))
	for _, m := range t.members {
		at := join(path, m.key)
		switch {
		case !envRE().MatchString(m.key):
			b.problemAt(m.pos, at, CodeBadName, "%s is no name for an environment variable: a letter or _, then letters, digits or _", quote(m.key))
		case strings.HasPrefix(m.key, "LATTICED_"):
			b.problemAt(m.pos, at, CodeBadName, "names that begin with LATTICED_ are reserved")
		case m.value.kind == kindNull:
			e.Env[m.key] = nil
		case strings.Contains(b.scalarText(m.value), "\x00"):
			b.problem(m.value, at, CodeBadValue, "a NUL character can't be passed to a program")
		default:
			e.Env[m.key] = b.template(m.value, at)
		}
	}
}

func (b *builder) resources(t *tree, path string, e *Spec) {
	b.fields(t, path, "resources", []field{
		{"cpus", func(t *tree, path string) { b.positive(t, path, &e.Resources.CPUs) }},
		{"memory", func(t *tree, path string) { b.size(t, path, &e.Resources.Memory) }},
		{"time", func(t *tree, path string) { b.duration(t, path, true, &e.Resources.Time) }},
	})
}

func (b *builder) retries(t *tree, path string, e *Spec) {
	b.fields(t, path, "retries", []field{
		{"max", func(t *tree, path string) { b.integer(t, path, 0, maxRetries, &e.Retries.Max) }},
		{"backoff", func(t *tree, path string) { b.duration(t, path, false, &e.Retries.Backoff) }},
		{"lost", func(t *tree, path string) { b.integer(t, path, 0, maxRetries, &e.Retries.Lost) }},
	})
}

// waitFor adds order without data.
func (b *builder) waitFor(t *tree, path string, e *Spec) {
	if t.kind != kindList {
		hint := ""
		if s, ok := t.text(); ok && ValidName(s) {
			hint = "; write [" + s + "]"
		}
		b.problem(t, path, CodeWrongType, "wait_for is a list of electrons, not %s%s", t.kind, hint)
		return
	}
	var seen []string
	for i, it := range t.items {
		at := item(path, i)
		name, ok := b.text(it, at)
		if !ok || b.problems.full() {
			continue
		}
		index, known := b.lattice.index[name]
		switch {
		case !known:
			b.problem(it, at, CodeUnknownName, "there is no electron %s%s", quote(name), didYouMean(name, b.names))
		case slices.Contains(seen, name):
			b.problem(it, at, CodeDuplicateKey, "%s is there twice", name)
		default:
			e.Needs = append(e.Needs, Need{Electron: index, Order: true})
			seen = append(seen, name)
		}
	}
}
