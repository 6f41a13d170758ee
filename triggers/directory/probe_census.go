package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/triggers"
)

// census is what is in the folder now, and what is stored of it; beside Run.
type census struct {
	walk
	rules  rules
	now    int64 // ns
	fresh  bool  // nothing is stored that is about this place
	there  []found
	stored map[string]triggers.Change // of the files that are there
	asm    *units                     // with all that is there; nil: events are about files
	full   bool                       // there is more than was looked at
}

// answer asks for something about a path, and gives up with ctx: a file server that is
// gone may never answer. The goroutine that asks is left behind then.
func answer[T any](ctx context.Context, path string, ask func() (T, error)) (T, error) {
	var got T
	err := answered(ctx, path, func() (err error) {
		defer func() {
			if p := recover(); p != nil { // in a goroutine of ours nobody else would
				err = fmt.Errorf("look at %s: panic: %v\n%s", path, p, debug.Stack())
			}
		}()
		got, err = ask()
		return err
	})
	if err != nil {
		var none T // got may still be written
		return none, err
	}
	return got, nil
}

// census looks at what is at and below rel. into says which folders are gone into; nil:
// all that the trigger is about. limit is how many names are looked at; 0: all.
func (s *source) census(ctx context.Context, from triggers.From, rel string, into func(string) bool, limit int) (*census, error) {
	c := &census{
		walk: walk{config: &s.config, roots: s.hub.roots, limit: limit, into: into},
		now:  time.Now().UnixNano(), stored: map[string]triggers.Change{},
	}
	c.fresh = !s.knows(from.Cursor)
	if err := c.start(); err != nil {
		return nil, &trouble{err}
	}
	c.visit = func(f found) error {
		c.there = append(c.there, f)
		return nil
	}
	err := c.from(ctx, rel)
	if errors.Is(err, errProbed) {
		c.full, err = true, nil
	}
	if err != nil {
		return nil, err
	}
	c.rules = rules{want: s.want, minSize: s.minSize, settle: c.quietTime(), network: c.network != "", once: s.once}
	if s.units.make != nil {
		a, ok := s.units.make(ground{
			dir: s.path, settle: c.quietTime, baseline: func() bool { return false },
			read: func(rel string, limit int64) ([]byte, error) { return readStrictly(c.real, rel, limit) },
		}).(*units)
		if !ok {
			return nil, errors.New("the assembler is of an unknown kind")
		}
		c.asm = a
	}
	if c.fresh {
		return c, nil
	}
	return c, c.load(ctx, from)
}

// knows tells whether a stored cursor is about this place.
func (s *source) knows(raw []byte) bool {
	var c cursor
	return raw != nil && json.Unmarshal(raw, &c) == nil && c.Scope == s.scope()
}

// load reads what is stored of what is there.
func (c *census) load(ctx context.Context, from triggers.From) error {
	at := make(map[string]bool, len(c.there))
	for i := range c.there {
		at[c.there[i].rel] = true
	}
	err := from.Entities(ctx, func(e triggers.Change) error {
		key := string(e.Key)
		if strings.HasPrefix(key, unitPrefix) {
			if c.asm != nil {
				return c.asm.restore(e)
			}
			return nil
		}
		if at[key] {
			c.stored[key] = e
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the inventory: %w", err)
	}
	return nil
}

// leftOut names the rule by which something is no event of its own; empty: it counts.
// Folders that are gone into are not left out.
func (c *census) leftOut(f *found) string {
	switch {
	case f.folder() && c.recursive:
		return c.prunes(f.rel)
	case f.folder():
		return "a folder, and recursive is false"
	case !f.regular():
		return "not a regular file"
	}
	if c.file {
		return c.tooSmall(f)
	}
	if c.asm == nil {
		if rule := c.leaves(f.rel); rule != "" {
			return rule
		}
		return c.tooSmall(f)
	}
	return c.leftOutOfUnits(f)
}

func (c *census) leftOutOfUnits(f *found) string {
	_, within, ok := c.asm.unitOf(f.rel)
	switch rule := c.leaves(f.rel); {
	case ok && c.asm.marks.hits(within)&^c.asm.marks.needed() != 0:
		return ""
	case rule != "":
		return rule
	case !ok && c.asm.form == aSet:
		return "does not match group.by"
	case !ok:
		return fmt.Sprintf("not inside a folder at depth %d", c.asm.depth)
	}
	return c.tooSmall(f)
}

func (c *census) tooSmall(f *found) string {
	if f.size < c.minSize {
		return fmt.Sprintf("smaller than min_size %s", bytesText(c.minSize))
	}
	return ""
}

// bytesText writes a number of bytes as people do.
func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// note is an entity of a file, decoded.
type note struct {
	entry
	first int64 // ns
	old   bool
}

// noted reads what is stored of a file; false when nothing is.
func (c *census) noted(rel string) (note, bool, error) {
	e, known := c.stored[rel]
	if !known {
		return note{}, false, nil
	}
	return parseNote(e)
}

func parseNote(e triggers.Change) (note, bool, error) {
	var n notes
	s, err := parseStamp(e.Version)
	if err == nil && len(e.Data) > 0 {
		err = json.Unmarshal(e.Data, &n)
	}
	if err != nil {
		return note{}, false, fmt.Errorf("read what is known of %q: %w", e.Key, err)
	}
	return note{entry{stamp: s, owed: kindsOf(n.Owed), since: n.Since * 1000, done: n.Done}, n.First * 1000, n.Old}, true, nil
}

// unchanged is since when a file has been as it is (ns).
func (c *census) unchanged(f *found, n note, known bool) int64 {
	if known && !c.rules.news(n.stamp, f.stamp) && n.since != 0 {
		return min(n.since, c.now)
	}
	return age(f.stamp, c.now)
}

// stands says which events a file would have now, and how it stands otherwise.
func (c *census) stands(f *found, n note, known bool) (kinds, standing) {
	e := entry{stamp: f.stamp, since: c.unchanged(f, n, known)}
	var report kinds
	switch {
	case !known:
		e.owed = c.want & (closed | ready)
		report = c.want & created
	case c.rules.news(n.stamp, f.stamp):
		e.owed, e.done = c.rules.changed(n.entry), n.done
		if e.owed == 0 {
			return 0, standing{state: triggers.FindingReported, why: "reported already, and refire is never"}
		}
	case n.owed != 0:
		e.owed, e.done = n.owed&c.want, n.done
	case n.old:
		return 0, standing{state: triggers.FindingExisting, why: "existing: was there before the trigger"}
	default:
		return 0, standing{state: triggers.FindingReported, why: "reported already"}
	}
	v := c.rules.judge(&e, f.stamp, false, c.now)
	report |= v.report
	if rest := v.owed & (closed | ready); rest != 0 {
		due := v.since + int64(c.rules.settle)
		return report, standing{
			state: triggers.FindingSettling, until: due,
			why: fmt.Sprintf("unchanged for %s of %s", short(time.Duration(c.now-v.since)), short(c.rules.settle)),
		}
	}
	return report, standing{state: isReady}
}

// assemble tells the assembler of all that counts, and returns its units by name.
func (c *census) assemble() ([]*unit, error) {
	for i := range c.there {
		f := &c.there[i]
		if !f.regular() {
			if f.folder() {
				c.asm.folder(f.rel, true)
			}
			continue
		}
		n, known, err := c.noted(f.rel)
		if err != nil {
			return nil, err
		}
		c.asm.saw(f.rel, f.stamp, c.unchanged(f, n, known))
	}
	ids := slices.Sorted(maps.Keys(c.asm.all))
	list := make([]*unit, 0, len(ids))
	for _, id := range ids {
		u := c.asm.all[id]
		if u.empty() || c.asm.form != aFolder && u.count == 0 {
			continue // gone, or nothing of it counts
		}
		if u.past.first == 0 {
			u.past.first = c.now
		}
		list = append(list, u)
	}
	return list, nil
}

// weigh says how a unit stands now; late: its deadline passes now.
func (c *census) weigh(u *unit) (st standing, late bool) {
	if u.past.state == unitKnown && u.changed() {
		u.enter(unitNew)
		u.past.first = c.now
	}
	st = c.asm.judge(u, c.now)
	deadline := c.asm.deadlineOf(u)
	if st.state == isReady || deadline == 0 {
		return st, false
	}
	if deadline <= c.now {
		return st, true
	}
	what := "is held"
	if c.asm.fire {
		what = "fires as it is"
	}
	st.why += fmt.Sprintf("; %s at its deadline in %s", what, short(time.Duration(deadline-c.now)))
	return st, false
}
