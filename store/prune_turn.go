package store

import "time"

const (
	// pruneHold is how long a transaction of a pruning may hold the writer, its commit
	// included, which may write many pages and a checkpoint besides.
	pruneHold = 10 * time.Millisecond
	// pruneTurn is the most work in one, and pruneLeast is what is done in any: beside the
	// price of a commit nobody notices it, and less would not keep up with what comes.
	pruneTurn  = 5 * time.Millisecond
	pruneLeast = 2 * time.Millisecond
)

// turn is one transaction of a pruning.
type turn struct {
	w     *writer
	began time.Time
	most  time.Duration
}

// left tells whether the transaction may take more: not for long once somebody waits.
func (u turn) left() bool {
	worked := time.Since(u.began)
	return worked < u.most && (worked < pruneLeast || !u.w.awaited())
}

// awaited tells the unit that runs whether others wait for its end, in its group or
// behind it.
func (w *writer) awaited() bool { return len(w.batch) > 1 || len(w.queue) > 0 }

// nextTurn is how much work the next transaction may do after one that was allowed most
// and held the writer so long.
func nextTurn(most, held time.Duration) time.Duration {
	if held > pruneHold {
		return max(most/2, pruneLeast)
	}
	return min(most+most/4, pruneTurn)
}
