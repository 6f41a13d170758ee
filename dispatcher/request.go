package dispatcher

// Request asks for a dispatch.
type Request struct {
	// Document is an inline lattice, YAML or JSON; it is kept by id alone. Otherwise
	// Lattice names a stored one by name or id. A redispatch with neither runs the
	// lattice of its parent.
	Document []byte
	Lattice  string

	Inputs map[string]any // as graph.DecodeValue makes them
	Unset  []string       // redispatch: inputs of the parent that fall back to their defaults

	DisableRun bool // stays new until Start
	Labels     map[string]string
	Note       string

	Owner     string
	CreatedBy string
	RunAs     string
	ParentID  string // set by Redispatch
}
