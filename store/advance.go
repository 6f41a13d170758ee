package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
)

// liveRef is what the writer remembers of a running dispatch.
type liveRef struct {
	number, trigger int64
	sweep           int64 // 0: alone
	asked           bool  // to end
}

// Advance records a step. When one of its changes does not leave the state it names,
// nothing is changed and graph.ErrStale comes back.
func (s *Store) Advance(ctx context.Context, st graph.Step) error {
	if err := s.change(ctx, func(t *tx) error { return t.advance(&st) }); err != nil {
		return fmt.Errorf("advance dispatch %s: %w", st.Dispatch, err)
	}
	return nil
}

func (t *tx) advance(st *graph.Step) error {
	d, err := t.liveDispatch(st)
	if err != nil {
		return err
	}
	if err := t.stepAssets(st); err != nil {
		return err
	}
	for i := range st.Ends {
		if err := t.endAttempt(d.number, &st.Ends[i]); err != nil {
			return err
		}
	}
	for i := range st.Electrons {
		if err := t.changeElectron(d.number, &st.Electrons[i]); err != nil {
			return err
		}
	}
	for i := range st.Starts {
		if err := t.startAttempt(d.number, &st.Starts[i]); err != nil {
			return err
		}
	}
	if err := t.advanceDispatch(d, st); err != nil { // last: its counts follow from changes that held
		return err
	}
	if st.Finish == nil {
		t.touched(st.Dispatch)
		return nil
	}
	t.ended(st.Dispatch)
	t.countEnd(d.trigger, d.asked, t.at(st.Finish.At))
	t.after(func() { delete(t.w.live, st.Dispatch) })
	return t.letNext(d.sweep)
}

// liveDispatch looks up the dispatch of a step, which is running unless it begins.
func (t *tx) liveDispatch(st *graph.Step) (liveRef, error) {
	status := graph.Running
	if !st.Begin.IsZero() {
		status = graph.Pending
	} else if d, ok := t.w.live[st.Dispatch]; ok {
		return d, nil
	}
	var d liveRef
	var marked bool
	err := t.row("SELECT number, trigger, sweep, cancel_requested_at IS NOT NULL, marked FROM dispatches WHERE id = ? AND status = ? AND held IS NULL",
		[]any{st.Dispatch, string(status)}, &d.number, &d.trigger, &d.sweep, &d.asked, &marked)
	if errors.Is(err, sql.ErrNoRows) {
		return d, graph.ErrStale
	}
	if err != nil {
		return d, err
	}
	if status == graph.Pending && marked != st.Marked {
		return d, graph.ErrStale // what was asked of its electrons isn't known there
	}
	t.w.live[st.Dispatch] = d
	return d, nil
}

// advanceDispatch changes the row of the dispatch: its counts always, and what the
// step says about waiting and the end.
func (t *tx) advanceDispatch(d liveRef, st *graph.Step) error {
	c := countsOf(st)
	q := `UPDATE dispatches SET seq = ?, running = running + ?, completed = completed + ?, failed = failed + ?,
		cancelled = cancelled + ?, skipped = skipped + ?`
	args := append(make([]any, 0, 16), t.seq(), c.Running, c.Completed, c.Failed, c.Cancelled, c.Skipped)
	leaves, waits := graph.Running, st.Waiting
	if !st.Begin.IsZero() {
		leaves = graph.Pending
		q += ", started_at = ?"
		args = append(args, st.Begin.UnixMicro())
	}
	if leaves == graph.Pending && st.Finish == nil {
		q += ", status = 'running'"
		if waits == nil {
			waits = &graph.WaitingChange{} // it no longer waits to begin
		}
	}
	if w := waits; w != nil && st.Finish == nil {
		waiting, err := jsonText(w.Waiting, w.Waiting == nil)
		if err != nil {
			return err
		}
		q += ", waiting = ?, reason = ?"
		args = append(args, waiting, text(w.Reason))
	}
	if f := st.Finish; f != nil {
		if f.Status != graph.Completed && f.Status != graph.Failed && f.Status != graph.Cancelled {
			return fmt.Errorf("a dispatch ends completed, failed or cancelled, not %q", f.Status)
		}
		failure, err := jsonText(f.Error, f.Error == nil)
		if err != nil {
			return err
		}
		q += ", status = ?, reason = ?, waiting = NULL, result = ?, error = ?, ended_at = ?, ended_seq = ?"
		args = append(args, string(f.Status), text(f.Reason), rawText(f.Result), failure, t.at(f.At), t.w.seq)
	}
	return t.guarded(q+" WHERE number = ? AND status = ?", append(args, d.number, string(leaves))...)
}

// guarded runs a statement that must change exactly one row.
func (t *tx) guarded(q string, args ...any) error {
	n, err := t.exec(q, args...)
	if err == nil && n == 0 {
		return graph.ErrStale
	}
	return err
}

// countsOf says what a step adds to the counts of its dispatch.
func countsOf(st *graph.Step) graph.Counts {
	c := graph.Counts{Running: len(st.Starts)}
	for i := range st.Electrons {
		add(&c, st.Electrons[i].From, -1)
		add(&c, st.Electrons[i].To, 1)
	}
	return c
}

func add(c *graph.Counts, s graph.Status, n int) {
	switch s {
	case graph.Running:
		c.Running += n
	case graph.Completed:
		c.Completed += n
	case graph.Failed:
		c.Failed += n
	case graph.Cancelled:
		c.Cancelled += n
	case graph.Skipped:
		c.Skipped += n
	case graph.New, graph.Pending, graph.Lost, graph.Unknown:
	}
}
