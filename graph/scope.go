package graph

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
