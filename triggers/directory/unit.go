package directory

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Limits of the rules of units.
const (
	maxDepth     = 32
	maxUnitGlobs = 20 // in each list; together they fit the bits of a member
	maxBy        = 1 << 10
	maxCount     = 10_000_000
)

// form is what becomes one event.
type form uint8

const (
	eachFile form = iota
	aFolder       // all files below a folder
	aSet          // files that share a key
)

// unitRules say which files are one unit, and when it is complete.
type unitRules struct {
	form     form
	depth    int            // of folders: 1 is directly in the root
	by       *regexp.Regexp // of sets: its captures are the key
	need     []string       // globs that members have to match, by base name
	all, any []string       // markers, as globs relative to the unit
	count    int64          // files that have to be there; 0: any number above none
	manifest string         // a glob: the file that lists what has to be there
	deadline time.Duration  // since the first sight; 0: none
	fire     bool           // at the deadline, instead of holding
	again    bool           // a unit that changes after its event has another
	fold     bool           // globs ignore case
}

// assembles tells whether readiness is about more than one file.
func (r *unitRules) assembles() bool { return r.form != eachFile || r.marked() }

func (r *unitRules) marked() bool { return len(r.all)+len(r.any) > 0 }

// readRules reads the fields of units and sets. names are the event_names.
func readRules(f *triggers.Fields, names []string, fold bool) unitRules {
	r := unitRules{fold: fold}
	if f.OneOf("unit", "file", "file", "folder") == "folder" {
		r.form = aFolder
	}
	r.readDepth(f)
	r.readGroup(f)
	nested(f, "marker", func(m *triggers.Fields) {
		r.all, r.any = unitGlobs(m, "all"), unitGlobs(m, "any")
	})
	if f.Has("marker") && !r.marked() {
		f.Refuse("marker", graph.CodeMissing, "must name files: {all: [RTAComplete.txt]} or {any: […]}")
	}
	r.readExpect(f)
	r.readDeadline(f)
	r.checkForm(f, names)
	return r
}

func (r *unitRules) readDepth(f *triggers.Fields) {
	if r.form == aFolder {
		r.depth = int(f.Int("depth", 1, 1, maxDepth))
		return
	}
	if f.Has("depth") {
		f.Refuse("depth", graph.CodeBadValue, "means nothing without unit: folder")
	}
	f.Alias("depth")
}

func (r *unitRules) readGroup(f *triggers.Fields) {
	nested(f, "group", func(g *triggers.Fields) {
		by := g.Text("by", "")
		r.need = unitGlobs(g, "need")
		if by == "" {
			g.Refuse("by", graph.CodeMissing, `is missing: a regular expression whose capture is the key of a set, such as ^scan-(\d+)\.`)
			return
		}
		re, err := regexp.Compile(by)
		switch {
		case len(by) > maxBy:
			g.Refuse("by", graph.CodeTooLarge, "may have %d bytes at most", maxBy)
		case err != nil:
			g.Refuse("by", graph.CodeBadValue, "is not a regular expression: %v", err)
		case re.NumSubexp() == 0:
			g.Refuse("by", graph.CodeBadValue, `captures nothing: put what the files of a set share into parentheses, such as ^scan-(\d+)\.`)
		default:
			if apart := tellsApart(by, r.need); apart != "" {
				g.Refuse("by", graph.CodeBadValue, "the capture (%s) tells apart what group.need wants in one set, so that no set would ever be complete; write (?:%s)", apart, apart)
			}
			r.by = re
		}
	})
	if !f.Has("group") {
		return
	}
	if r.form == aFolder {
		f.Refuse("group", graph.CodeBadValue, "and unit: folder are two ways to say what belongs together; give one")
		return
	}
	r.form = aSet
}

func (r *unitRules) readExpect(f *triggers.Fields) {
	nested(f, "expect", func(e *triggers.Fields) {
		if e.Has("count") {
			r.count = e.Int("count", 1, 1, maxCount)
		} else {
			e.Alias("count")
		}
		if e.Has("manifest") {
			r.manifest = e.Text("manifest", "")
		} else {
			e.Alias("manifest")
		}
		if r.manifest != "" && !doublestar.ValidatePattern(r.manifest) {
			e.Refuse("manifest", graph.CodeBadValue, "%q is not a glob: an open [ or a \\ at its end", r.manifest)
		}
		if r.manifest != "" && r.form != aFolder {
			e.Refuse("manifest", graph.CodeBadValue, "is for unit: folder: it lists the files of a folder")
		}
	})
	switch {
	case !f.Has("expect"):
	case r.form == eachFile:
		f.Refuse("expect", graph.CodeBadValue, "means nothing for single files; it is for unit: folder and group")
	case r.count == 0 && r.manifest == "":
		f.Refuse("expect", graph.CodeMissing, "must say what: {count: N} or {manifest: NAME}")
	}
}

func (r *unitRules) readDeadline(f *triggers.Fields) {
	if f.Has("deadline") {
		r.deadline = f.Duration("deadline", time.Hour, time.Second)
		r.fire = f.OneOf("on_deadline", "hold", "hold", "fire") == "fire"
		if !r.assembles() {
			f.Refuse("deadline", graph.CodeBadValue, "means nothing without unit: folder, group or marker: single files wait for nothing but settle")
		}
		return
	}
	if f.Has("on_deadline") {
		f.Refuse("on_deadline", graph.CodeBadValue, "means nothing without deadline")
	}
	f.Alias("deadline")
	f.Alias("on_deadline")
}

// checkForm refuses what does not go together.
func (r *unitRules) checkForm(f *triggers.Fields, names []string) {
	if r.form == aSet && r.marked() {
		f.Refuse("marker", graph.CodeBadValue, "does not go with group: name the marker in group.need, and let group.by match it")
	}
	if !r.assembles() {
		return
	}
	known, what := []string{"ready"}, "marker and unit: file"
	switch r.form {
	case aFolder:
		known, what = []string{"created", "ready", "deleted"}, "unit: folder"
	case aSet:
		what = "group"
	case eachFile:
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			f.Refuse("event_names", graph.CodeBadValue, "with %s, %s is not known: take %s", what, name, strings.Join(known, ", "))
		}
	}
}

// nested reads an object if it is there; one that is not has no defaults to show.
func nested(f *triggers.Fields, field string, read func(*triggers.Fields)) {
	if f.Has(field) {
		f.Nested(field, read)
		return
	}
	f.Alias(field)
}

func unitGlobs(f *triggers.Fields, field string) []string {
	if !f.Has(field) {
		f.Alias(field)
		return nil
	}
	list := f.Words(field, nil)
	if len(list) > maxUnitGlobs {
		f.Refuse(field, graph.CodeTooLarge, "may hold %d globs at most", maxUnitGlobs)
		return nil
	}
	for i, glob := range list {
		if glob == "" || !doublestar.ValidatePattern(glob) {
			f.Refuse(fmt.Sprintf("%s[%d]", field, i), graph.CodeBadValue, "%q is not a glob: empty, an open [ or a \\ at its end", glob)
		}
	}
	return list
}
