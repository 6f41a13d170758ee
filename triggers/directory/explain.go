package directory

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/latticed/latticed/triggers"
)

var _ triggers.Explainer = (*source)(nil)

// Covers tells whether a path is dir_path or inside of what is watched. dir_path may be
// a file, or be reached through links: nothing is looked at to find out.
func (s *source) Covers(p string) bool {
	rel, ok := s.below(p)
	return ok && (s.recursive || !strings.Contains(rel, "/"))
}

// below is a path relative to dir_path, which is "" itself.
func (s *source) below(p string) (rel string, ok bool) {
	if p = path.Clean(p); p == s.path {
		return "", true
	}
	return strings.CutPrefix(p, strings.TrimSuffix(s.path, "/")+"/")
}

// Explain says how a path stands.
func (s *source) Explain(ctx context.Context, from triggers.From, p string) (triggers.Finding, error) {
	return answer(ctx, s.path, func() (triggers.Finding, error) {
		rel, ok := s.below(p)
		if !ok {
			return triggers.Finding{State: triggers.FindingIgnored, Detail: "outside of " + s.path}, nil
		}
		x := explainer{source: s, from: from, rel: rel}
		f, err := x.find(ctx)
		var t *trouble
		if errors.As(err, &t) {
			return triggers.Finding{State: triggers.FindingUnseen, Detail: troubleWith(s.path, t.err)}, nil
		}
		return f, err
	})
}

// explainer finds out about one path.
type explainer struct {
	*source
	from triggers.From
	rel  string
}

func (x *explainer) find(ctx context.Context) (triggers.Finding, error) {
	c, err := x.around(ctx)
	if err != nil {
		return triggers.Finding{}, err
	}
	if c.file {
		if x.rel != "" {
			return ignoredAs("not a folder: " + x.path + " is a file"), nil
		}
		x.rel = path.Base(x.path)
	}
	self := c.at(x.rel)
	switch {
	case c.asm != nil:
		return x.unit(c, self)
	case x.rel == "":
		return ignoredAs("the folder that is watched; events are about the files in it"), nil
	case self == nil:
		return x.absent(c)
	}
	if rule := c.leftOut(self); rule != "" {
		return ignoredAs(rule), nil
	}
	if self.folder() {
		return ignoredAs("a folder; events are about the files in it"), nil
	}
	return x.file(c, self)
}

func ignoredAs(rule string) triggers.Finding {
	return triggers.Finding{State: triggers.FindingIgnored, Detail: rule}
}

// around looks at no more than the question needs: at the file, its unit, or, for sets,
// which may be spread, at all.
func (x *explainer) around(ctx context.Context) (*census, error) {
	from, into := x.rel, func(string) bool { return false }
	r := x.units.rules
	switch {
	case r == nil:
	case r.form == aFolder:
		if id, _, ok := r.unitOf(x.rel); ok {
			from = id
		}
		into = func(rel string) bool { return strings.Count(rel, "/") >= r.depth-1 }
	case r.form == aSet:
		from, into = "", nil
	case r.form == eachFile:
		from, into = "", func(rel string) bool { return strings.HasPrefix(x.rel, rel+"/") }
	}
	c, err := x.census(ctx, x.from, from, into, x.hub.probes())
	if err == nil && c.full && c.at(x.rel) == nil { // it may be among the rest
		limit := c.limit
		c.limit = 0
		err = c.one(ctx, x.rel)
		c.limit = limit
	}
	if err != nil || x.from.Entity == nil || x.rel == "" || c.fresh {
		return c, err
	}
	return c, c.lookUp(ctx, x.from, x.rel) // of what is not there any more
}

// at finds a name among what is there.
func (c *census) at(rel string) *found {
	for i := range c.there {
		if c.there[i].rel == rel {
			return &c.there[i]
		}
	}
	return nil
}

// absent says what is known of a path that is not there.
func (x *explainer) absent(c *census) (triggers.Finding, error) {
	n, known, err := c.noted(x.rel)
	if err != nil {
		return triggers.Finding{}, err
	}
	f := triggers.Finding{State: triggers.FindingAbsent, Detail: "it is not there"}
	if c.linked {
		return ignoredAs("behind a symbolic link; links are not followed"), nil
	}
	if known {
		f.Detail = "it was there, and is not any more; the next look will find that out"
		f.FirstSeen, f.LastChange = moment(n.first), moment(n.mtime)
	}
	return f, nil
}

// file says how a file stands that is an event of its own.
func (x *explainer) file(c *census, self *found) (triggers.Finding, error) {
	n, known, err := c.noted(x.rel)
	if err != nil {
		return triggers.Finding{}, err
	}
	if !known {
		n.first = x.sighted(x.rel)
	}
	f := triggers.Finding{FirstSeen: moment(n.first), LastChange: moment(c.unchanged(self, n, known))}
	report, st := c.stands(self, n, known)
	f.State, f.Detail, f.Until = st.state, st.why, moment(st.until)
	if st.state != isReady && report == 0 {
		return f, nil
	}
	switch {
	case st.state == triggers.FindingSettling:
	case c.fresh:
		f.State, f.Detail = triggers.FindingUnseen, "the trigger has not looked yet"
	case known:
		f.State, f.Detail = triggers.FindingUnseen, "it has changed; the next look will report it"
	default:
		f.State, f.Detail = triggers.FindingUnseen, "it was not looked at yet; the next look will report it"
	}
	return f, nil
}

// unit says how the unit stands that a path is, or is part of.
func (x *explainer) unit(c *census, self *found) (triggers.Finding, error) {
	if _, err := c.assemble(); err != nil {
		return triggers.Finding{}, err
	}
	id, _, ok := c.asm.unitOf(x.rel)
	if c.asm.form == aFolder && strings.Count(x.rel, "/") == c.asm.depth-1 && x.rel != "" {
		id, ok = x.rel, true
	}
	u := c.asm.all[id]
	switch {
	case !ok && self != nil && !self.folder():
		return ignoredAs(c.leftOut(self)), nil
	case !ok && c.asm.form == aFolder:
		return ignoredAs(fmt.Sprintf("a folder above the units, which are at depth %d", c.asm.depth)), nil
	case u == nil || u.empty() || !ok:
		return x.outside(c, self, u)
	}
	f := triggers.Finding{Unit: keyPath(path.Join(x.path, c.asm.path(u))), FirstSeen: moment(u.past.first), LastChange: moment(u.since)}
	if !u.stored {
		f.FirstSeen = moment(0)
	}
	if self == nil && x.rel != id {
		f.State, f.Detail = triggers.FindingAbsent, "it is not there"
		return f, nil
	}
	if self != nil && self.regular() {
		if rule := c.leftOut(self); rule != "" {
			f.State, f.Detail = triggers.FindingIgnored, rule
			return f, nil
		}
	}
	x.standing(c, u, &f)
	return f, nil
}

// outside is about a path that is part of no unit that is there.
func (x *explainer) outside(c *census, self *found, u *unit) (triggers.Finding, error) {
	switch {
	case self == nil && u != nil && u.stored:
		return triggers.Finding{
			State: triggers.FindingAbsent, FirstSeen: moment(u.past.first),
			Detail: "it was there, and is not any more; the next look will find that out",
		}, nil
	case self == nil && c.linked:
		return ignoredAs("behind a symbolic link; links are not followed"), nil
	case self == nil:
		return triggers.Finding{State: triggers.FindingAbsent, Detail: "it is not there"}, nil
	}
	if rule := c.leftOut(self); rule != "" {
		return ignoredAs(rule), nil
	}
	if c.asm.form == eachFile && self.regular() {
		return ignoredAs("a marker: events are about the files beside it"), nil
	}
	return ignoredAs("a folder; events are about the files in it"), nil
}

// standing fills in how a unit stands.
func (x *explainer) standing(c *census, u *unit, f *triggers.Finding) {
	st, late := c.weigh(u)
	f.State, f.Detail, f.Until = st.state, st.why, moment(st.until)
	switch {
	case st.state == isReady && c.skipped > 0:
		f.State, f.Detail = triggers.FindingWaiting, count(c.skipped, "name")+" in it can't be looked at"
	case late:
		f.State, f.Detail = triggers.FindingUnseen, "its deadline has passed; the next look will report it: "+st.why
	case st.state != isReady:
	case c.fresh:
		f.State, f.Detail = triggers.FindingUnseen, "complete and quiet, but the trigger has not looked yet"
	default:
		f.State, f.Detail = triggers.FindingUnseen, "complete and quiet; the next look will report it"
	}
	if c.full {
		f.Detail += fmt.Sprintf(" (only the first %d names were looked at)", c.limit)
	}
}
