package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/latticed/latticed/api"
	"github.com/latticed/latticed/store"
)

const (
	incomingEvery = 10 * time.Minute
	// incomingPart bounds how much of the time is spent on looking: a hundredth.
	incomingPart = 100
)

// arrivals is what there is of files from other machines.
type arrivals struct {
	files, bytes int64
	oldest       time.Time // zero: there is none
	at           time.Time // of the look, zero: none has ended yet
}

// larder looks at incoming/ from time to time, which nobody but the users cleans. Its
// goroutine is that of Run.
type larder struct {
	dir string

	mu   sync.Mutex
	seen arrivals
}

func newLarder(stateDir string) *larder { return &larder{dir: filepath.Join(stateDir, "incoming")} }

// Run looks until ctx ends: one look at millions of files takes seconds.
func (l *larder) Run(ctx context.Context) error {
	for {
		began := time.Now()
		if seen, err := stock(ctx, l.dir); err == nil {
			l.mu.Lock()
			l.seen = seen
			l.mu.Unlock()
		}
		next := time.NewTimer(max(incomingEvery, incomingPart*time.Since(began)))
		select {
		case <-ctx.Done():
			next.Stop()
			return context.Cause(ctx)
		case <-next.C:
		}
	}
}

func (l *larder) last() arrivals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// stock counts the files of all triggers. What goes meanwhile is not counted.
func stock(ctx context.Context, dir string) (a arrivals, err error) {
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return nil
		case err != nil:
			return err
		case e.IsDir() && e.Name() == ".partial" && filepath.Dir(name) == dir:
			return fs.SkipDir // what is on its way
		case !e.Type().IsRegular():
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil //nolint:nilerr // it has gone
		}
		a.files++
		a.bytes += info.Size()
		if at := info.ModTime(); a.oldest.IsZero() || at.Before(a.oldest) {
			a.oldest = at
		}
		return nil
	})
	a.at = time.Now()
	return a, err
}

// checkIncoming tells how much there is of what only its users remove.
func (d *daemon) checkIncoming(dir string) api.Check {
	const name = "incoming"
	a := d.larder.last()
	switch {
	case a.at.IsZero():
		return well(name, "its files are being counted")
	case a.files == 0:
		return well(name, "no files of other machines are kept")
	}
	said := fmt.Sprintf("%s of other machines, %s, the oldest of %s, in %s", count(int(a.files), "file"), bytesText(a.bytes), a.oldest.UTC().Format("2006-01-02"), d.larder.dir)
	free, total, err := store.Space(dir)
	if err == nil && free < total/5 && a.bytes > total/10 {
		return warn(name, said+"; "+bytesText(free)+" are free", "the daemon removes none of them: move them where they belong, or let a timer remove old ones")
	}
	return well(name, said)
}

func (d *daemon) collectIncoming(m meter) {
	a := d.larder.last()
	if a.at.IsZero() {
		return
	}
	m.gauge("latticed_incoming_files", "Files of other machines in incoming/, as of the last look.", float64(a.files), nil)
	m.gauge("latticed_incoming_bytes", "Bytes of files of other machines in incoming/, as of the last look.", float64(a.bytes), nil)
	if !a.oldest.IsZero() {
		m.gauge("latticed_incoming_oldest_seconds", "When the oldest of them came, in seconds since 1970.", float64(a.oldest.Unix()), nil)
	}
}
