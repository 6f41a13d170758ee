package graph

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a document or with values given to it.
type Problem struct {
	Path    string `json:"path"`             // electrons.plot.run[1], or empty for the whole
	Line    int    `json:"line,omitempty"`   // 1, 2, 3 …; 0 when there is no source text
	Column  int    `json:"column,omitempty"` // in characters, from 1
	Code    string `json:"code"`             // stable, see the constants
	Message string `json:"message"`          // for people: what is wrong and what to do
}

// The codes of problems.
const (
	CodeSyntax       = "syntax"        // not YAML or JSON
	CodeUnknownKey   = "unknown_key"   // a key that means nothing here
	CodeDuplicateKey = "duplicate_key" // the same key or name twice
	CodeWrongType    = "wrong_type"    // text where a number belongs …
	CodeMissing      = "missing"       // a required key
	CodeBadName      = "bad_name"      // names follow a pattern
	CodeBadValue     = "bad_value"     // right type, impossible content
	CodeBadPath      = "bad_path"      // absolute, or leaves the directory
	CodeNumberRange  = "number_range"  // cannot be kept exactly
	CodeBody         = "body"          // none or several of run, bash, python
	CodeInclude      = "include"       // a file that is not packed
	CodeUnknownName  = "unknown_name"  // no such electron, input, output, variable
	CodeCycle        = "cycle"         // electrons wait for each other
	CodeExpression   = "expression"    // does not compile or has the wrong type
	CodeInput        = "input"         // a value does not fit the declared input
	CodeMissingInput = "missing_input" // no value and no default
	CodeTooLarge     = "too_large"     // a limit of this package
	CodeSchema       = "schema"        // an input's schema is not JSON Schema
)

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(p.Path)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Invalid lists everything that is wrong with a document or with inputs.
type Invalid struct {
	Problems []Problem
}

// Error has one readable line for each problem.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds the list: a generated document can be wrong a million times.
const maxProblems = 100

// problems collects; the zero value is ready.
type problems struct {
	list []Problem
	more bool // some were left out
}

func (ps *problems) add(p Problem) {
	if !ps.full() {
		ps.list = append(ps.list, p)
	}
}

// full tells whether looking for more problems is a waste: each costs the search for
// its line and for a suggestion. Callers ask only when there is something to look at.
func (ps *problems) full() bool {
	ps.more = ps.more || len(ps.list) >= maxProblems
	return ps.more
}

// err returns what was collected in the order of the text, or nil.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if ps.more {
		ps.list = append(ps.list, Problem{Code: CodeTooLarge, Message: "there may be more problems; these are the first found"})
		ps.more = false
	}
	return &Invalid{Problems: ps.list}
}
