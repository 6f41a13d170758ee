package dispatcher

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/latticed/latticed/graph"
)

// Request asks for a dispatch.
type Request struct {
	// Document is an inline lattice, YAML or JSON; it is kept by id alone. Otherwise
	// Lattice names a stored one by name or id. A redispatch with neither runs the
	// lattice of its parent.
	Document []byte
	Lattice  string
	// Replace holds documents that take the place of electrons of that lattice, by name;
	// what comes of it is kept by id alone.
	Replace map[string][]byte

	Inputs map[string]any // as graph.DecodeValue makes them
	Unset  []string       // redispatch: inputs of the parent that fall back to their defaults

	DisableRun bool // stays new until Start
	Labels     map[string]string
	Note       string

	Owner     string
	CreatedBy string
	RunAs     string
	ParentID  string // set by Redispatch
	Reuse     bool   // results of electrons of the parent of which nothing has changed are taken over

	// Warned is told what Accept is going to warn of before anything is stored, for an
	// answer that is stored with the dispatch; nil: nobody cares.
	Warned func([]graph.Warning)
}

// The limits of what people attach to a dispatch.
const (
	maxLabels     = 64
	maxLabelValue = 1024     // bytes
	maxNote       = 64 << 10 // bytes
)

// labelKey is what a filter (label=k=v) can name.
var labelKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/-]{0,62}$`) })

// CheckLabels tells what is wrong with labels, as a *graph.Invalid.
func CheckLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return invalid("labels", graph.CodeTooLarge, "there are %d labels, at most %d are kept", len(labels), maxLabels)
	}
	var ps []graph.Problem
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		v := labels[k]
		switch {
		case !labelKey().MatchString(k):
			ps = append(ps, problem("labels", graph.CodeBadName,
				"%q is no name of a label: use up to 63 of A-Z a-z 0-9 . _ / -, not beginning with . / -", k))
		case len(v) > maxLabelValue:
			ps = append(ps, problem("labels."+k, graph.CodeTooLarge, "it has %d bytes, at most %d are kept", len(v), maxLabelValue))
		case !utf8.ValidString(v):
			ps = append(ps, problem("labels."+k, graph.CodeBadValue, "it is not UTF-8 text"))
		}
	}
	if ps != nil {
		return &graph.Invalid{Problems: ps}
	}
	return nil
}

// CheckNote tells what is wrong with a note, as a *graph.Invalid.
func CheckNote(note string) error {
	if len(note) > maxNote {
		return invalid("note", graph.CodeTooLarge, "it has %d bytes, at most %d are kept", len(note), maxNote)
	}
	if !utf8.ValidString(note) {
		return invalid("note", graph.CodeBadValue, "it is not UTF-8 text")
	}
	return nil
}

func checkText(r Request) error {
	if err := CheckLabels(r.Labels); err != nil {
		return err
	}
	return CheckNote(r.Note)
}

func problem(path, code, format string, args ...any) graph.Problem {
	return graph.Problem{Path: path, Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(path, code, format string, args ...any) error {
	return &graph.Invalid{Problems: []graph.Problem{problem(path, code, format, args...)}}
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// didYouMean is the end of a message, or empty.
func didYouMean(word string, known []string) string {
	if s := graph.Suggest(word, known); s != "" {
		return "; did you mean " + s + "?"
	}
	return ""
}
