package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// backfillBatch is how many events a backfill hands over at a time.
const backfillBatch = 256

// maxYoung bounds the files that a backfill waits for.
const maxYoung = 100_000

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

// files reports single files, while they are found: there may be millions.
func (b *backfill) files(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &census{walk: walk{config: &b.config, roots: b.hub.roots}, now: time.Now().UnixNano()}
	pages, done := make(chan page), make(chan error, 1)
	go func() { // ends with the walk, or soon after ctx does
		_, err := answer(ctx, b.path, func() (struct{}, error) { return struct{}{}, b.walk(ctx, c, pages) })
		done <- err
	}()
	for {
		select {
		case p := <-pages:
			if err := b.page(ctx, p); err != nil {
				return err
			}
		case err := <-done:
			if err != nil || len(b.young.list) == 0 {
				return err
			}
			return b.grown(ctx)
		}
	}
}

// spare keeps those of some files that are not quiet for later that were there before
// the trigger: of the others the watch tells.
func (b *backfill) spare(ctx context.Context, p page) error {
	if time.Until(p.quiet) > patience {
		return nil // who asks for it does not wait for so long; a later one finds them
	}
	for _, f := range p.list {
		n, known, err := b.noted(ctx, f.rel)
		if err != nil {
			return err
		}
		if known && n.old && !p.rules.news(n.stamp, f.stamp) && len(b.young.list) < maxYoung {
			b.young.dir, b.young.rules, b.quiet = p.dir, p.rules, p.quiet
			b.young.list = append(b.young.list, f)
		}
	}
	return nil
}

// grown reports the files that were not quiet and have not changed until they were.
func (b *backfill) grown(ctx context.Context) error {
	select {
	case <-time.After(time.Until(b.quiet)):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p := b.young
	list, err := answer(ctx, b.path, func() (same []found, err error) {
		for _, f := range p.list {
			var st unix.Stat_t
			if unix.Lstat(path.Join(p.dir, f.rel), &st) == nil && stampOf(&st) == f.stamp {
				same = append(same, f)
			}
		}
		return same, nil
	})
	if err != nil {
		return err
	}
	p.list = list
	return b.page(ctx, p)
}

// page is some files as the walk has found them.
type page struct {
	dir   string // to which names are relative
	rules rules
	list  []found
	quiet time.Time // when the files are that are not yet; zero: all are
}

// walk sends the files that count, are quiet and in the range, some at a time.
func (b *backfill) walk(ctx context.Context, c *census, to chan<- page) error {
	if err := c.start(); err != nil {
		return &trouble{err}
	}
	var list, young []found
	send := func(list *[]found, quiet time.Time) error {
		select {
		case to <- page{c.dir(), rules{network: c.network != ""}, *list, quiet}:
			*list = nil
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	quiet := time.Unix(0, c.now).Add(c.quietTime())
	c.visit = func(f found) error {
		if f.folder() || c.leftOut(&f) != "" || !b.inRange(f.rel, f.mtime) {
			return nil
		}
		if c.now-c.age(f.stamp, c.now) < int64(c.quietTime()) {
			if young = append(young, f); len(young) < backfillBatch {
				return nil
			}
			return send(&young, quiet)
		}
		if list = append(list, f); len(list) < backfillBatch {
			return nil
		}
		return send(&list, time.Time{})
	}
	if err := c.from(ctx, b.rel); err != nil {
		return err
	}
	if err := send(&young, quiet); err != nil {
		return err
	}
	return send(&list, time.Time{})
}

// page reports some files.
func (b *backfill) page(ctx context.Context, p page) error {
	if !p.quiet.IsZero() {
		return b.spare(ctx, p)
	}
	for _, f := range p.list {
		n, known, err := b.noted(ctx, f.rel)
		if err != nil {
			return err
		}
		s := f.stamp
		if known = known && !p.rules.news(n.stamp, s); known {
			s = n.stamp // the same file after a chmod, or on a file system that was mounted again
		}
		e, err := fileEvent(p.dir, f.rel, b.complete(), s, "")
		if err != nil {
			return err
		}
		if known && n.key != "" {
			e.Key = n.key
		}
		if err := b.add(e); err != nil {
			return err
		}
	}
	return nil
}

// noted reads what is stored of a file; false when nothing is.
func (b *backfill) noted(ctx context.Context, rel string) (note, bool, error) {
	if b.from.Entity == nil {
		return note{}, false, nil
	}
	e, known, err := b.from.Entity(ctx, []byte(rel))
	if err != nil || !known {
		return note{}, false, err
	}
	n, err := parseNote(e)
	return n, true, err
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
	case was.state == unitExisting && !c.asm.again:
		return c.asm.onceKey(u), true // the watch never has one for it
	case was.state == unitHeld, !c.asm.again, !u.changed():
		return was.key, true // empty if it had none
	}
	return "", true
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
