package graph

import (
	"encoding/json"
	"time"
)

// Lattice is a checked and compiled workflow definition. It is immutable and safe
// for concurrent use.
type Lattice struct {
	ID          string // SHA-256 of Document, lower-case hex
	Name        string
	Description string
	Document    json.RawMessage // RFC 8785 form of what was submitted
	Include     map[string]Include
	Inputs      []Input   // sorted by name
	Executor    string    // default of the electrons, "local" when absent
	OnFailure   string    // "stop" or "continue"
	Electrons   []Spec    // sorted by name, as in Document
	Output      *Template // nil: {leaf: result}

	late   bool          // an electron looks at what is known of a dispatch once it is stored
	packed func() string // hash of the included files
	dag    *dag
	index  map[string]int // of electrons by name
	binder *binder
}

// Include is a packed file: its bytes, or the asset that holds them.
type Include struct {
	Data   []byte
	SHA256 string // set when the bytes are an asset
}

// Input is a declared input.
type Input struct {
	Name     string
	Type     string // JSON-Schema type
	Format   string // "path", "directory" or any other
	Schema   json.RawMessage
	Default  any
	Required bool // no default

	paths bool // its value is a path, or holds some
}

// Spec defines an electron.
type Spec struct {
	Name      string
	Executor  string
	Body      Body
	Run       []*Template          // argv, when Body.Kind is "run"
	Env       map[string]*Template // a nil value unsets
	Args      map[string]*Template
	If        *Template // nil: always
	Needs     []Need    // by reference and by wait_for, each electron once, in order
	Outputs   []Output
	Retries   Retries
	Timeout   time.Duration // 0: none
	Grace     time.Duration // default 5 s
	Resources Resources
	Result    string // "", "json", "text", "lines"

	refs  []ref    // of run, env and args
	paths []string // inputs with a path that those look at, sorted
}

// Need is a dependency on another electron.
type Need struct {
	Electron int
	Data     bool // referenced: skipped with it, unless Optional
	Optional bool // every reference is of the form electrons.a?.…
	Order    bool // wait_for names it, and neither run, env nor args do
}

// Body is what an electron executes.
type Body struct {
	Kind        string // "run", "bash" or "python"
	Bash        string // the script
	PythonFile  string // an included file, or empty
	PythonFunc  string // the function, "main" when PythonCode is set
	PythonCode  string // a block that defines main, or empty
	Interpreter string // default "python3"
}

// Output is a file an electron leaves.
type Output struct {
	Name     string
	Path     string // relative to the working directory
	Optional bool
}

// Retries says how often and when a failed attempt is tried again.
type Retries struct {
	Max     int           // further attempts after a failure
	Backoff time.Duration // before the first; doubles; half of it is jitter
	Lost    int           // further attempts after a lost one, default 1
}

// Resources is what the executor is asked for. Zero: not said.
type Resources struct {
	CPUs   float64
	Memory int64 // bytes
	Time   time.Duration
}
