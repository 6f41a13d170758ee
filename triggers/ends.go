package triggers

import (
	"context"
	"slices"
	"sort"
)

const (
	// endsPage is how many ends are read at a time.
	endsPage = 512
	// maxEnds bounds the latest ends that are kept in memory: more than a source passes
	// over before it stores how far it is, so that all that begin after a start are
	// served by one reading.
	maxEnds = 16_384
)

// ends are the latest ends of dispatches, read once for all triggers that follow some.
// They are kept as they were when they were read first.
type ends struct {
	ledger Ledger
	max    int           // how many are kept
	turn   chan struct{} // held by whoever uses what is below
	from   int64         // all that ended after from, up to upto, is known
	upto   int64
	known  []End
}

func newEnds(l Ledger, most int) *ends {
	return &ends{ledger: l, max: most, turn: make(chan struct{}, 1)}
}

// after returns ends after a place in their order, in that order, and the place to go on
// from; that is the same when there are none. The ledger is asked when no later one is known.
func (w *ends) after(ctx context.Context, place int64) (es []End, next int64, err error) {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return nil, place, context.Cause(ctx)
	}
	switch far := int64(w.max); {
	case place > w.upto && len(w.known) == 0, place > w.upto+far:
		w.known, w.from, w.upto = nil, place, place
	case place < w.from && place < w.upto-far:
		return w.ledger.Ends(ctx, place, endsPage)
	case place < w.from:
		err = w.back(ctx, place)
	}
	for more := true; err == nil && more && w.upto <= place; {
		var some []End
		if some, next, err = w.ledger.Ends(ctx, w.upto, endsPage); err == nil {
			more = len(some) > 0
			w.known, w.upto = append(w.known, some...), next
		}
	}
	if err != nil {
		return nil, place, err
	}
	i := sort.Search(len(w.known), func(i int) bool { return w.known[i].Seq > place })
	es = slices.Clip(w.known[i:])
	if more := min(i, len(w.known)-w.max); more > 0 {
		w.from, w.known = w.known[more-1].Seq, w.known[more:]
	}
	return es, max(place, w.upto), nil
}

// back reads what ended between a place and the first that is known.
func (w *ends) back(ctx context.Context, place int64) error {
	var older []End
	for at := place; at < w.from; {
		some, next, err := w.ledger.Ends(ctx, at, endsPage)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			break
		}
		for _, e := range some {
			if e.Seq <= w.from {
				older = append(older, e)
			}
		}
		at = next
	}
	w.known, w.from = append(older, w.known...), place
	return nil
}

// forget lets go of what is known.
func (w *ends) forget() {
	w.turn <- struct{}{}
	w.known, w.from, w.upto = nil, 0, 0
	<-w.turn
}

// tellEnds wakes the triggers that an end concerns. It is a goroutine of the manager's,
// and lives until ctx ends. Who isn't woken looks now and then all the same.
func (m *Manager) tellEnds(ctx context.Context) {
	told := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.ended:
			told = m.tellAfter(ctx, told)
		}
	}
}

// tellAfter tells of what ended after a place, and returns how far that is; < 0: nobody
// follows anything.
func (m *Manager) tellAfter(ctx context.Context, told int64) int64 {
	if m.followers.none() {
		m.ends.forget()
		return -1
	}
	if told < 0 {
		_, now, err := m.ledger.Ends(ctx, -1, 0)
		m.followers.hintAll()
		if err != nil {
			return -1 // as below
		}
		return now
	}
	for {
		es, next, err := m.ends.after(ctx, told)
		if err != nil {
			m.followers.hintAll() // they meet it, too, and say so
			return told
		}
		for i := range es {
			m.followers.hint(&es[i])
		}
		if next == told {
			return told
		}
		told = next
	}
}

// endsOf is From.Ended for a trigger that follows some ends.
func (m *Manager) endsOf(f *Follows) func(context.Context, int64, int) ([]Ended, int64, error) {
	return func(ctx context.Context, after int64, limit int) ([]Ended, int64, error) {
		if f == nil {
			return nil, after, nil
		}
		if after < 0 {
			_, now, err := m.ledger.Ends(ctx, -1, 0)
			return nil, now, err
		}
		es, place, err := m.ends.after(ctx, after)
		if err != nil {
			return nil, after, err
		}
		var its []End
		for i := range es {
			if !f.Match(&es[i]) {
				continue
			}
			if its = append(its, es[i]); len(its) == limit {
				place = es[i].Seq
				break
			}
		}
		if len(its) == 0 {
			return nil, place, nil
		}
		all, err := m.ledger.Ended(ctx, its)
		return all, place, err
	}
}
