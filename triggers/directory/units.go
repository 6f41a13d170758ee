package directory

import (
	"context"
	"time"
)

// newAssembler makes the assembler of the trigger, if its events are about units.
func (w *watch) newAssembler() assembler {
	if w.units.make == nil {
		return nil
	}
	return w.units.make(ground{
		dir: w.path, settle: func() time.Duration { return w.rules.settle },
		read: w.readBelow, baseline: func() bool { return w.baseline },
	})
}

// tellSaw tells the assembler of a file.
func (w *watch) tellSaw(f *file) {
	if w.asm != nil {
		w.asm.saw(f.rel(), f.stamp, f.since)
	}
}

// tellGone tells the assembler that there is no file of that name any more.
func (w *watch) tellGone(rel string) {
	if w.asm != nil {
		w.asm.gone(rel)
	}
}

// tellMoved tells an assembler that wants to know that a file has another name.
func (w *watch) tellMoved(from, to string) {
	if a, ok := w.asm.(interface{ moved(from, to string) }); ok {
		a.moved(from, to)
	}
}

// tellFolder tells an assembler that wants to know of a folder.
func (w *watch) tellFolder(rel string, there bool) {
	if a, ok := w.asm.(interface{ folder(rel string, there bool) }); ok {
		a.folder(rel, there)
	}
}

// tellLooked tells it that everything that is there was seen.
func (w *watch) tellLooked() {
	if a, ok := w.asm.(interface{ looked() }); ok {
		a.looked()
	}
}

// assemble puts into the batch what the assembler has to say.
func (w *watch) assemble(ctx context.Context) error {
	if w.asm == nil || w.lost {
		return nil
	}
	if err := w.lookAgain(ctx); err != nil {
		return err
	}
	for _, r := range w.asm.take(time.Now().UnixNano()) {
		if len(w.batch.Entities)+len(r.entities) > maxChanges || len(w.batch.Events)+len(r.events) > maxChanges {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
		w.batch.Entities = append(w.batch.Entities, r.entities...)
		w.batch.Events = append(w.batch.Events, r.events...)
	}
	return nil
}

// doubter is an assembler that wants to have looked at again what it would report: a
// hint may be missing.
type doubter interface {
	doubts(now int64) []doubt
	// rest is told when a unit was looked at: whether all of it could be seen, and
	// when it may be looked at again (ns).
	rest(unit string, sure bool, until int64)
}

// doubt is a unit that has to be looked at again: files of it, or folders with all below.
type doubt struct {
	unit  string
	names []string
}

func (w *watch) lookAgain(ctx context.Context) error {
	d, ok := w.asm.(doubter)
	if !ok || w.baseline {
		return nil
	}
	defer w.opened.close()
	for _, doubt := range d.doubts(time.Now().UnixNano()) {
		began, saving, skipped := time.Now(), w.saving, w.skipped
		w.skipped = 0
		missing, err := w.lookAtUnit(ctx, doubt)
		if err != nil {
			return err
		}
		// A large unit that is ready again and again is not looked at without end.
		pause := unitShare * (time.Since(began) - (w.saving - saving))
		switch {
		case w.skipped > 0: // nobody knows whether that is all of it
			pause = max(pause, pollEvery)
		case missing:
			pause = max(pause, linger)
		}
		d.rest(doubt.unit, !missing && w.skipped == 0, time.Now().Add(pause).UnixNano())
		w.skipped = max(w.skipped, skipped)
	}
	return nil
}

// unitShare bounds the part of the time in which one unit is looked at: one in so many.
const unitShare = 10

// lookAtUnit looks at what a doubt names, and tells whether anything is not where it was.
func (w *watch) lookAtUnit(ctx context.Context, d doubt) (missing bool, err error) {
	for _, rel := range d.names {
		b := w.at(rel)
		if b == nil || b == w.top {
			if err := w.hinted(ctx, hint{name: rel}); err != nil {
				return false, err
			}
			f := w.find(rel)
			missing = missing || f == nil || f.missing
			continue
		}
		w.look++
		if err := w.run(ctx, &scan{n: w.look, deep: true, todo: []*branch{b}}); err != nil {
			return false, err
		}
		missing = missing || b.anyMissing()
	}
	return missing, nil
}

// anyMissing tells whether the folder, or anything below it, is not where it was.
func (b *branch) anyMissing() bool {
	found := false
	b.each(func(b *branch) {
		found = found || b.missing
		for _, f := range b.files {
			found = found || f.missing
		}
	})
	return found
}
