package triggers

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

// Kind reads the fields of its kind from a spec and makes the source. It is called
// when a trigger is registered, edited, shown, and at every start; it does no I/O.
// What is wrong is noted with f.Refuse.
type Kind func(f *Fields) Made

// Made is what a kind says about one trigger.
type Made struct {
	Source Source
	Event  graph.Env // the fields of `event` in expressions

	BatchSize   int64  // an alias of batch.size that was given; 0: none
	BatchAlias  string // the name of that alias
	Overlap     Overlap
	MaxInFlight int64

	// Judge is what the kind itself says about an event; nil: nothing.
	Judge func(fields map[string]any, stored time.Time) Judgement
	// Merge makes one payload of that of an event that a pause holds and of the next
	// one, where only the latest counts. nil: each counts.
	Merge func(held, next json.RawMessage) (json.RawMessage, error)
	// SkipPaused says that what happens during a pause is skipped, not held.
	SkipPaused bool
	// Fill is what was taken from this machine for fields that were not given. It is
	// stored with the spec, so that it stays when the machine changes.
	Fill map[string]any
	// Warnings are what people should know who register or edit such a trigger.
	Warnings []graph.Warning
	// AfterRuns asks for the source to be woken when a dispatch of the trigger ends.
	AfterRuns bool
	// Follows says which ends of dispatches the source is about; see From.Ended. It is
	// woken when one comes, and people are warned when the trigger leads to such by
	// itself. nil: none.
	Follows *Follows
	// Secrets are fields of the spec that nobody is shown: by name, which is NAME.NAME of
	// one within another, what is shown instead, with Masked for what is left out. An edit
	// that gives what is shown leaves the field as it is.
	Secrets map[string]string
}

// Judgement is what a kind says about an event beyond the rules of the trigger: skip
// it, or hold it until it is amended or fired by hand, each for a reason; or nothing.
type Judgement struct{ Skip, Hold string }

// Kinds are the kinds of triggers by name, registered by hand where the program is
// put together.
type Kinds map[string]Kind

func (ks Kinds) names() []string {
	names := make([]string, 0, len(ks))
	for name := range ks {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ofOthers refuses the fields that nobody asked for but another kind would.
func (ks Kinds) ofOthers(f *Fields, kind string) {
	of := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(f.raw)) {
		if !slices.Contains(f.asked, name) {
			of[name] = nil
		}
	}
	if len(of) == 0 {
		return
	}
	for _, other := range ks.names() {
		if other == kind {
			continue
		}
		its := newFields(map[string]any{})
		ks[other](its)
		for name := range of {
			if slices.Contains(its.asked, name) {
				of[name] = append(of[name], other)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if len(of[name]) > 0 {
			f.Refuse(name, graph.CodeUnknownKey, "is a field of kind %s, not of %s", strings.Join(of[name], " and "), kind)
			f.asked = append(f.asked, name)
		}
	}
}

func (ks Kinds) list() string { return strings.Join(ks.names(), ", ") }

// Checker is implemented by sources that can tell at registration whether there is
// anything to watch. A *graph.Invalid refuses the registration. Check returns when ctx
// ends, even if what it looks at does not answer.
type Checker interface {
	Check(ctx context.Context) error
}

// Make reads the fields of a kind and makes its source, strictly, as registration
// does; the error is *graph.Invalid.
func Make(kind Kind, fields map[string]any) (Made, error) {
	f := newFields(fields)
	m := kind(f)
	f.rest()
	return m, f.err()
}
