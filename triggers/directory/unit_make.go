package directory

import (
	"path"
	"time"

	"github.com/latticed/latticed/triggers"
)

// readUnits reads unit, depth, group, marker, expect, deadline and on_deadline.
func readUnits(f *triggers.Fields, c *config) assembly {
	r := readRules(f, c.want.names(), c.ignoreCase)
	if !r.assembles() {
		return assembly{}
	}
	if r.form == aFolder {
		c.recursive = true
		f.Set("recursive", true, "unit: folder")
	}
	a := assembly{rules: &r, counts: c.matters(&r), once: r.form == aFolder, late: r.deadline != 0 && !r.fire}
	by := ""
	if r.by != nil {
		by = r.by.String()
	}
	// With another min_size other files count: what was reported would look changed.
	a.scope = []any{"unit", r.form, r.depth, by, c.minSize}
	kinds := unitKinds{created: c.want.has(created), ready: c.want.has(ready), deleted: c.want.has(deleted)}
	a.make = func(g ground) assembler {
		own := r
		own.again = !c.once
		u := newUnits(&own, g, kinds)
		u.minSize = c.minSize
		u.counts = func(rel string) bool { return c.leaves(rel) == "" }
		u.partial = c.beingWritten
		return u
	}
	return a
}

// matters tells which files matter to units although they don't count: what marks, and
// what is being written under another name.
func (c *config) matters(r *unitRules) func(rel string) bool {
	m := r.marks()
	return func(rel string) bool {
		_, within, ok := r.unitOf(rel)
		return ok && (m.hits(within)&^m.needed() != 0 || r.form != eachFile && c.beingWritten(rel))
	}
}

// beingWritten tells whether a file has the name of one that is not whole yet, in a
// place where files count: a unit is not quiet while such a file changes.
func (c *config) beingWritten(rel string) bool {
	all := c.filter
	all.include, all.partial = nil, true
	return !c.partial && unfinished(path.Base(rel)) && all.leaves(rel) == ""
}

// judgeUnit holds the event of a unit that was not complete at its deadline.
func judgeUnit(fields map[string]any, _ time.Time) triggers.Judgement {
	if complete, ok := fields["complete"].(bool); ok && !complete && fields["kind"] == "ready" {
		return triggers.Judgement{Hold: triggers.ReasonIncomplete}
	}
	return triggers.Judgement{}
}
