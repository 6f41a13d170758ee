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

// fewNames is up to how many names are looked up one by one in the inventory.
const fewNames = 200

// load reads what is stored of what is there.
func (c *census) load(ctx context.Context, from triggers.From) error {
	if len(c.there) <= fewNames && from.Entity != nil {
		return c.loadFew(ctx, from)
	}
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

// loadFew asks for what is there one by one.
func (c *census) loadFew(ctx context.Context, from triggers.From) error {
	units := map[string]bool{}
	for i := range c.there {
		rel := c.there[i].rel
		if err := c.lookUp(ctx, from, rel); err != nil {
			return err
		}
		if c.asm == nil {
			continue
		}
		id, _, ok := c.asm.unitOf(rel)
		if c.asm.form == aFolder && !ok {
			id, ok = rel, true // of an empty folder
		}
		units[id] = ok
	}
	for _, id := range slices.Sorted(maps.Keys(units)) {
		e, known, err := from.Entity(ctx, []byte(unitPrefix+id))
		if err == nil && known && units[id] {
			err = c.asm.restore(e)
		}
		if err != nil {
			return fmt.Errorf("read the inventory: %w", err)
		}
	}
	return nil
}

// lookUp reads what is stored of one file.
func (c *census) lookUp(ctx context.Context, from triggers.From, rel string) error {
	e, known, err := from.Entity(ctx, []byte(rel))
	if err != nil {
		return fmt.Errorf("read the inventory: %w", err)
	}
	if known {
		c.stored[rel] = e
	}
	return nil
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
