package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// walker sees one live dispatch to its end, in as many walks as it takes: a walk that
// loses touch with the stored state is given up and a new one starts from the store.
type walker struct {
	d      *Dispatcher
	id     string
	number int64
	sweep  bool                          // its end lets another go
	cancel atomic.Bool                   // somebody asked to cancel; never false again
	gone   atomic.Bool                   // it was cancelled before it began
	wake   chan struct{}                 // one slot, no data
	ended  atomic.Pointer[[]atomic.Bool] // electrons, for Explain
	mu     sync.Mutex
	marks  []int // electrons that somebody asked to end lately
	log    zerolog.Logger
}

func newWalker(d *Dispatcher, r graph.Run) *walker {
	w := &walker{d: d, id: r.Dispatch.ID, number: r.Dispatch.Number, sweep: r.Dispatch.Sweep != 0, wake: make(chan struct{}, 1)}
	w.cancel.Store(!r.Dispatch.CancelRequestedAt.IsZero())
	w.log = d.log.With().Str(keyDispatch, w.id).Logger()
	return w
}

func (w *walker) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // already awake
	}
}

// mark passes on that electrons were asked to end.
func (w *walker) mark(is []int) {
	w.mu.Lock()
	w.marks = append(w.marks, is...)
	w.mu.Unlock()
	w.signal()
}

func (w *walker) takeMarks() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	is := w.marks
	w.marks = nil
	return is
}

// live walks until the dispatch has ended or ctx does. b is its beginning when that is
// stored already.
func (w *walker) live(ctx context.Context, r graph.Run, b *beginning) {
	if r.Dispatch.Marked && r.Dispatch.Status == graph.Pending && !w.reread(ctx, &r) {
		return
	}
	for n := 1; ; n++ {
		begun := time.Now()
		err := w.walk(ctx, r, b)
		b = nil
		if err == nil || ctx.Err() != nil || (errors.Is(err, errStale) && w.over(ctx)) {
			return
		}
		if time.Since(begun) > againCeiling {
			n = 1
		}
		w.d.count.restarts.Add(1)
		delay := againDelay(n, jitter())
		w.log.Error().AnErr(keyErr, err).Dur(keyDur, delay).Msg("dispatch starts over from the store")
		if !sleep(ctx, delay) {
			return
		}
		if !w.reread(ctx, &r) {
			return
		}
	}
}

// reread reads the dispatch with its electrons; false when there is nothing to walk.
func (w *walker) reread(ctx context.Context, r *graph.Run) bool {
	return w.d.persist(ctx, "read again", func() (err error) {
		*r, err = w.read(ctx)
		return err
	}) && alive(*r)
}

// over tells whether the dispatch has ended without this walker: it was cancelled
// before it began, or deleted.
func (w *walker) over(ctx context.Context) bool {
	_, status, err := w.d.store.Standing(ctx, w.id)
	return errors.Is(err, triggers.ErrNotFound) || (err == nil && status.Terminal())
}

// read returns the dispatch as stored; a zero one when it was deleted.
func (w *walker) read(ctx context.Context) (graph.Run, error) {
	r, err := w.d.store.Run(ctx, w.id)
	if errors.Is(err, triggers.ErrNotFound) {
		return graph.Run{}, nil
	}
	return r, err
}

// alive tells whether a dispatch is to be walked.
func alive(r graph.Run) bool {
	return r.Dispatch.Status == graph.Pending || r.Dispatch.Status == graph.Running
}

// walk follows the dispatch from r, or from its beginning. Nothing it started is alive
// when it returns.
func (w *walker) walk(ctx context.Context, r graph.Run, b *beginning) (err error) {
	var k *walk
	var as []*attempt
	if b != nil {
		k, as = b.k, b.as
	} else if k, err = newWalk(ctx, w, r, nil); err != nil {
		return err
	}
	defer k.leave()
	return guard(func() error {
		if b != nil {
			k.launchPlanned(as, true)
		}
		return k.run(ctx)
	})
}

// errStale is why a walk is given up.
var errStale = errors.New("the stored state is not what this walk believed")

const (
	commitTime = 30 * time.Second // for one try of a step
	lastWords  = 5 * time.Second  // for what ended while we were told to stop
)

// run takes steps until the dispatch has ended or ctx does.
func (k *walk) run(ctx context.Context) error {
	for {
		if k.w.gone.Load() && !k.begun {
			return nil
		}
		k.plan()
		if err := k.commit(ctx, commitTime); err != nil {
			return err
		}
		if k.over {
			return nil
		}
		if !k.wait(ctx) {
			return k.hand(ctx)
		}
	}
}

// wait blocks until there is something to plan; false when ctx ends.
func (k *walk) wait(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	var timer <-chan time.Time
	if at := k.nextTimer(); !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-k.w.wake:
	case <-timer:
	}
	return true
}

// hand leaves the running attempts to the next process and stores what ended meanwhile.
func (k *walk) hand(ctx context.Context) error {
	k.stopping = true
	k.detach()
	k.plan()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	return k.commit(last, lastWords)
}

// commit stores the planned step, trying until ctx ends, and then does what had to
// wait for it. One try may take as long as patience.
func (k *walk) commit(ctx context.Context, patience time.Duration) error {
	s, starting, after := k.step, k.starting, k.after
	k.step, k.starting, k.after = graph.Step{Dispatch: k.w.id}, nil, nil
	if empty(s) {
		return nil
	}
	if !k.begun {
		s.Begin, s.Marked = k.now, k.marked
	}
	for n := 1; ; n++ {
		err := k.advance(ctx, s, patience)
		if err == nil || (n > 1 && k.stored(ctx, s)) {
			break
		}
		if errors.Is(err, graph.ErrStale) {
			return fmt.Errorf("%w: %w", errStale, err)
		}
		k.w.d.count.stepRetries.Add(1)
		delay := againDelay(n, jitter())
		k.w.log.Error().AnErr(keyErr, err).Dur(keyDur, delay).Msg("step could not be stored")
		if !sleep(ctx, delay) {
			return context.Cause(ctx)
		}
	}
	k.w.d.count.steps.Add(1)
	begins := !k.begun
	if begins {
		k.begun, k.disp.StartedAt = true, s.Begin
	}
	if k.vals != nil {
		clear(k.vals.fresh)
	}
	k.launchPlanned(starting, begins) // first: everything else can go on beside them
	for _, f := range after {
		f()
	}
	return nil
}

// stored looks whether a step that failed more than once was stored the first time.
func (k *walk) stored(ctx context.Context, s graph.Step) bool {
	r, err := k.w.read(context.WithoutCancel(ctx))
	return err == nil && landed(s, r)
}

// advance tries once. A stop doesn't interrupt it: a step is better known to be stored.
func (k *walk) advance(ctx context.Context, s graph.Step, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return k.w.d.store.Advance(ctx, s)
}

func empty(s graph.Step) bool {
	return len(s.Ends)+len(s.Electrons)+len(s.Starts) == 0 && s.Waiting == nil && s.Finish == nil
}
