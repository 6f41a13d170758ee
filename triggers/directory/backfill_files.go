package directory

import (
	"context"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// maxYoung bounds the files that a backfill waits for.
const maxYoung = 100_000

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
