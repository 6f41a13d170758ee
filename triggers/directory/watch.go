package directory

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/latticed/latticed/triggers"
)

const (
	// lookEvery is how often everything is looked at while hints arrive, pollEvery
	// while they don't. Both grow with the time a look takes.
	lookEvery = 10 * time.Minute
	pollEvery = 5 * time.Second
	// unreadEvery is how often that is where something can't be read.
	unreadEvery = 30 * time.Second
	// glanceEvery is how often the folders alone are looked at in between.
	glanceEvery = 3 * time.Minute
	// beat is what the times of looks are multiples of: waking for many triggers at
	// once costs less than for each alone.
	beat = 5 * time.Second
	// lookShare bounds the part of the time that looks may take: one in so many;
	// pollShare does so where nothing else tells of files.
	lookShare = 50
	pollShare = 10
	// rescanAfter keeps floods of lost hints from looking without end.
	rescanAfter = 200 * time.Millisecond
	// rootEvery is how often a missing folder is looked for; it doubles up to rootMax.
	rootEvery = 250 * time.Millisecond
	rootMax   = 5 * time.Second
	// patience is how long the folder may take to answer before people are told.
	patience = 30 * time.Second
	// breath is how long hints that are not urgent are collected.
	breath = 20 * time.Millisecond
)

// watch is what a source knows while it works. It belongs to one goroutine at a time.
type watch struct {
	*config
	rules  rules
	hub    *hub
	hints  hints
	health func(triggers.State, string)
	emit   triggers.Emit // of the run
	asm    assembler     // nil: events are about files

	place
	cursor   cursor
	baseline bool // the inventory is not about this place yet
	waits    waits
	missing  []missed
	look     uint32 // counts looks at folders
	fullLook uint32 // the last look at everything
	batch    triggers.Batch

	// The tree, and what is in it by inode.
	top     *branch
	inodes  map[uint64]*file
	folders map[uint64]*branch // below the root
	count   int                // files
	opened  handle

	root    *folder           // the folder that is watched, closed
	real    string            // its path without links
	distant string            // a type of network file system in the tree, or empty
	aliases map[uint64]uint64 // device numbers that have changed
	learned learned           // stored with the cursor at each look
	lost    bool              // the folder can't be read
	blind   error             // why there are no hints although they are wanted
	refused uint32            // the look that was refused a watch
	deaf    int               // folders without hints although they are wanted
	retry   time.Duration
	skipped int   // names that the look could not stat, or folders that it could not read
	skipErr error // the first reason
	away    int   // files that are known from file systems that are not there
	told    troubles

	alarm      *time.Timer // of the run; set while the folder is asked something
	hung       atomic.Bool // people were told that it does not answer
	turned     time.Time   // when the last turn began
	nextLook   time.Time   // everything
	nextGlance time.Time
	lastLook   time.Time     // when the last look at everything ended
	took       time.Duration // by it
	every      time.Duration // from there to the next one
	saving     time.Duration // of the time of this look, waiting for the ledger
	rescan     bool          // hints were lost during this look
	lastTake   time.Time     // when hints were taken last
	heeding    bool
}

func newWatch(c *config, h *hub, from triggers.From) *watch {
	w := &watch{
		config: c, hub: h, health: from.Health,
		top: newBranch(), inodes: map[uint64]*file{}, folders: map[uint64]*branch{},
		rules: rules{want: c.want, minSize: c.minSize, settle: c.settle, once: c.once},
	}
	w.hints.wake = from.Wake
	if w.asm = w.newAssembler(); w.asm != nil {
		w.rules.want, w.rules.once = ready, false // of files: that they are quiet
	}
	return w
}

func splitPath(p string) (dir, name string) { return filepath.Dir(p), filepath.Base(p) }

// work looks and reports, in turns, until there is nothing to do before an instant.
func (w *watch) work(ctx context.Context) (time.Time, error) {
	for {
		if ctx.Err() != nil {
			return time.Time{}, context.Cause(ctx)
		}
		if err := w.turn(ctx); err != nil {
			return time.Time{}, err
		}
		next := w.next()
		switch w.hints.waiting() {
		case urgent:
			continue
		case soft:
			next = earlier(next, w.lastTake.Add(breath))
		case idle:
		}
		if time.Now().Before(next) {
			return next, nil
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// next is when there is something to do without a hint.
func (w *watch) next() time.Time {
	next := w.nextLook
	if w.lost {
		return next
	}
	if !w.nextGlance.IsZero() {
		next = earlier(next, w.nextGlance)
	}
	if len(w.waits) > 0 {
		next = earlier(next, time.Unix(0, w.waits[0].due))
	}
	if len(w.missing) > 0 {
		next = earlier(next, w.missing[0].due)
	}
	if w.asm != nil {
		if due := w.asm.due(); due != 0 {
			next = earlier(next, time.Unix(0, due))
		}
	}
	return next
}

// turn does what is to be done now. What hints told goes out first.
func (w *watch) turn(ctx context.Context) error {
	w.alarm.Reset(patience)
	defer w.alarm.Stop()
	now := time.Now()
	if step := stepped(w.turned, now); step.Abs() > time.Second {
		w.shift(step)
	}
	w.turned = now
	defer w.tellTurn()
	if err := w.heed(ctx); err != nil {
		return err
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if !time.Now().Before(w.nextLook) {
		if err := w.lookAtAll(ctx); err != nil {
			return err
		}
		if err := w.heed(ctx); err != nil {
			return err
		}
	}
	if err := w.glance(ctx); err != nil {
		return err
	}
	if err := w.wakeWaits(ctx); err != nil {
		return err
	}
	if err := w.giveUp(ctx); err != nil {
		return err
	}
	if err := w.assemble(ctx); err != nil {
		return err
	}
	return w.flush(ctx)
}

// stepped is by how much the clock was set between two instants.
func stepped(from, to time.Time) time.Duration {
	if from.IsZero() {
		return 0
	}
	return to.Round(0).Sub(from.Round(0)) - to.Sub(from) // the latter by the monotonic clock
}

// shift moves what was measured with the clock as it was before it was set.
func (w *watch) shift(step time.Duration) {
	w.waits = nil
	w.top.each(func(b *branch) {
		for _, f := range b.files {
			f.since, f.paced, f.due = f.since+int64(step), f.paced+int64(step), 0
			if f.owed != 0 {
				w.await(f)
			}
			w.tellSaw(f)
		}
	})
	if s, ok := w.asm.(interface{ shift(step time.Duration) }); ok {
		s.shift(step)
	}
}

// heed looks at the names that hints told of.
func (w *watch) heed(ctx context.Context) error {
	if w.heeding || w.baseline && !w.lost {
		return nil // what was told meanwhile is looked at when the baseline is taken
	}
	now := time.Now()
	if w.hints.waiting() == soft && now.Before(w.lastTake.Add(breath)) {
		return nil
	}
	list, rescan, moved := w.hints.take()
	if len(list) > 0 {
		w.lastTake = now
	}
	if moved {
		w.ignore(w.top)
		w.nextLook = now
	}
	if rescan {
		w.rescan = true
		w.nextLook = earlier(w.nextLook, w.lastLook.Add(rescanAfter))
	}
	if w.lost {
		return nil // the look that ends this sees everything
	}
	w.heeding = true
	defer func() { w.heeding = false }()
	defer w.opened.close()
	for _, h := range list {
		if err := w.hinted(ctx, h); err != nil {
			return err
		}
	}
	return nil
}
