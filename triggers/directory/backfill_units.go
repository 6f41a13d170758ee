package directory

import (
	"context"
	"strings"
)

// look finds what is there: the unit of the path at least.
func (b *backfill) look(ctx context.Context) (*census, error) {
	from, r := "", b.config.units.rules
	if r.form == aFolder {
		if from = b.rel; strings.Count(b.rel, "/") >= r.depth {
			from, _, _ = r.unitOf(b.rel)
		}
	}
	return answer(ctx, b.path, func() (*census, error) { return b.census(ctx, b.from, from, nil, 0) })
}

// units reports folders and sets that are complete.
func (b *backfill) units(c *census) error {
	list, err := c.assemble()
	if err != nil {
		return err
	}
	for _, u := range list {
		if !b.inRange(c.asm.path(u), u.latest) && !b.inRange(u.id, u.latest) {
			continue
		}
		key, complete := c.complete(u)
		if !complete {
			continue
		}
		for _, e := range c.asm.event(u, true, "ready", true) {
			if key != "" {
				e.Key = key
			}
			if err := b.add(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete tells whether a unit is complete, whatever became of it, and the key of the
// event that it has had, if that stands for what is there now.
func (c *census) complete(u *unit) (key string, ok bool) {
	was := u.past
	u.past.state = unitNew
	st := c.asm.judge(u, c.now)
	u.past = was
	switch {
	case st.state != isReady:
		return "", false
	case was.state == unitExisting && !c.asm.again && was.key == "":
		return c.asm.onceKey(u), true // the watch never has one for it
	case was.state == unitHeld, !c.asm.again, !u.changed():
		return was.key, true // empty if it had none
	}
	return "", true
}
