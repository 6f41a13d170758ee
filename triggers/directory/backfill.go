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
// would have had. What is still being written is left to the watch; for what was written
// just before the trigger came, and is not again, it waits until that is quiet.
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
		return errors.New(troubleWith(s.path, t.err)) // nobody has asked wrongly
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

	young page      // files that the watch owes nothing for, and that may not be complete
	quiet time.Time // when they all are
}

func (b *backfill) run(ctx context.Context) error {
	if b.config.units.rules == nil {
		if err := b.files(ctx); err != nil {
			return err
		}
		return b.flush()
	}
	c, err := b.look(ctx)
	if err != nil {
		return err
	}
	if err := b.units(c); err != nil {
		return err
	}
	return b.flush()
}

// complete is the kind that says best that a file is: ready, unless the trigger has
// only others that could be about what is there.
func (c *config) complete() string {
	for _, k := range []kinds{ready, closed, created} {
		if c.want.has(k) {
			return k.names()[0]
		}
	}
	return ready.names()[0]
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
