package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// backfillBatch is how many events a backfill hands over at a time.
const backfillBatch = 256

var _ triggers.Backfiller = (*source)(nil)

// Backfill reports what is there and complete, as ready events with the keys that they
// would have had. What is still being written is left to the watch.
func (s *source) Backfill(ctx context.Context, from triggers.From, r triggers.Range, f func([]triggers.Event) error) error {
	rel := ""
	if r.Path != "" {
		var ok bool
		if rel, ok = s.below(r.Path); !ok {
			return refuseRange(fmt.Sprintf("%s is not inside of %s", r.Path, s.path))
		}
	}
	b := backfill{source: s, from: from, r: r, rel: rel, f: f}
	err := b.run(ctx)
	var t *trouble
	if errors.As(err, &t) {
		return refuseRange(troubleWith(s.path, t.err))
	}
	return err
}

func refuseRange(message string) error {
	return &graph.Invalid{Problems: []graph.Problem{{Path: "path", Code: graph.CodeBadPath, Message: message}}}
}

// backfill is one of them.
type backfill struct {
	*source
	from triggers.From
	r    triggers.Range
	rel  string
	f    func([]triggers.Event) error
	list []triggers.Event
}

func (b *backfill) run(ctx context.Context) error {
	c, err := b.look(ctx)
	if err != nil {
		return err
	}
	if c.asm == nil {
		err = b.files(c)
	} else {
		err = b.units(c)
	}
	if err != nil {
		return err
	}
	return b.flush()
}

// look finds what is there: the unit of the path at least.
func (b *backfill) look(ctx context.Context) (*census, error) {
	from := b.rel
	if r := b.config.units.rules; r != nil {
		from = ""
		if r.form == aFolder {
			if from = b.rel; strings.Count(b.rel, "/") >= r.depth {
				from, _, _ = r.unitOf(b.rel)
			}
		}
	}
	return answer(ctx, b.path, func() (*census, error) { return b.census(ctx, b.from, from, nil, 0) })
}

// files reports single files.
func (b *backfill) files(c *census) error {
	kind := b.kind()
	for i := range c.there {
		f := &c.there[i]
		if f.folder() || c.leftOut(f) != "" || !b.inRange(f.rel, f.mtime) {
			continue
		}
		n, known, err := c.noted(f.rel)
		if err != nil {
			return err
		}
		if c.now-c.unchanged(f, n, known) < int64(c.rules.settle) {
			continue
		}
		e, err := fileEvent(c.dir(), f.rel, kind, f.stamp, "")
		if err != nil {
			return err
		}
		if err := b.add(e); err != nil {
			return err
		}
	}
	return nil
}

// kind is ready, unless the trigger has only others that could be about what is there.
func (b *backfill) kind() string {
	for _, k := range []kinds{ready, closed, created} {
		if b.want.has(k) {
			return k.names()[0]
		}
	}
	return ready.names()[0]
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

// complete tells whether a unit is complete, whatever became of it, and the key of its
// event, if that is another than that of what is there now.
func (c *census) complete(u *unit) (key string, ok bool) {
	was := u.past
	u.past.state = unitNew
	st := c.asm.judge(u, c.now)
	u.past = was
	switch {
	case st.state != isReady:
		return "", false
	case was.state == unitHeld:
		return was.key, true
	case (was.state == unitReported || was.state == unitLate) && !c.asm.again && c.asm.form != eachFile:
		now := u.content
		u.content = was.content
		key = c.asm.eventKey(u, "ready")
		u.content = now
	}
	return key, true
}

// inRange tells whether something is what the backfill is about.
func (b *backfill) inRange(rel string, mtime int64) bool {
	t := time.Unix(0, mtime)
	switch {
	case b.rel != "" && rel != b.rel && !strings.HasPrefix(rel, b.rel+"/") && !strings.HasPrefix(b.rel, rel+"/"):
		return false
	case !b.r.Since.IsZero() && t.Before(b.r.Since):
		return false
	}
	return b.r.Until.IsZero() || t.Before(b.r.Until)
}

// add marks an event as one of a backfill.
func (b *backfill) add(e triggers.Event) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(e.Payload, &fields); err != nil {
		return fmt.Errorf("read the event of %s: %w", e.Key, err)
	}
	fields["backfill"] = json.RawMessage("true")
	payload, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("write the event of %s: %w", e.Key, err)
	}
	e.Payload = payload
	if b.list = append(b.list, e); len(b.list) >= backfillBatch {
		return b.flush()
	}
	return nil
}

func (b *backfill) flush() error {
	if len(b.list) == 0 {
		return nil
	}
	list := b.list
	b.list = nil
	return b.f(list)
}
