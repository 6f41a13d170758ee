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
	// doubts names files, and folders with all below them.
	doubts(now int64) []string
	// unsure is told of one of them that is missing, and when to ask again (ns).
	unsure(rel string, again int64)
}

func (w *watch) lookAgain(ctx context.Context) error {
	d, ok := w.asm.(doubter)
	if !ok || w.baseline {
		return nil
	}
	defer w.opened.close()
	for _, rel := range d.doubts(time.Now().UnixNano()) {
		b := w.at(rel)
		if b == nil || b == w.top {
			if err := w.hinted(ctx, hint{name: rel}); err != nil {
				return err
			}
			if f := w.find(rel); f == nil || f.missing {
				d.unsure(rel, time.Now().Add(linger).UnixNano())
			}
			continue
		}
		w.look++
		if err := w.run(ctx, &scan{n: w.look, deep: true, todo: []*branch{b}}); err != nil {
			return err
		}
		if b.anyMissing() {
			d.unsure(rel, time.Now().Add(linger).UnixNano())
		}
	}
	return nil
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
