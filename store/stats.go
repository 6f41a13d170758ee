package store

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// Stats counts what the store did since it was opened.
type Stats struct {
	Units    int64         // changes committed
	Refused  int64         // changes rolled back alone
	Commits  int64         // transactions
	Failures int64         // transactions that failed as a whole
	Busy     time.Duration // time the writer worked
	Queue    int           // changes waiting now
	DBBytes  int64
	WALBytes int64
	Seq      int64 // of the last commit
}

// Gauges are counted in the database.
type Gauges struct {
	DispatchesPending, DispatchesRunning int64
	DispatchesHeld                       int64 // of those that are pending: they wait for others of their sweep
	EventsPending, EventsHeld            int64
}

type writerStats struct {
	units, refused, commits, failures, busy atomic.Int64

	mu   sync.Mutex
	last error // why the last transaction failed; nil after one that did not
}

func (st *writerStats) commit(errs []error) {
	refused := 0
	for _, err := range errs {
		if err != nil {
			refused++
		}
	}
	st.refused.Add(int64(refused))
	if refused == len(errs) {
		return
	}
	st.units.Add(int64(len(errs) - refused))
	st.commits.Add(1)
	st.setLast(nil)
}

func (st *writerStats) fail(err error) {
	st.failures.Add(1)
	st.setLast(err)
}

func (st *writerStats) setLast(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.last = err
}

// Health returns nil, or why the last write failed (ErrDiskFull, ErrBusy …). It
// becomes nil by itself when writing works again.
func (s *Store) Health() error {
	s.writer.stats.mu.Lock()
	defer s.writer.stats.mu.Unlock()
	return s.writer.stats.last
}

// Seq returns the sequence number of the last commit.
func (s *Store) Seq() int64 { return s.writer.committed.Load() }

// Stats returns counters and sizes.
func (s *Store) Stats() Stats {
	st := &s.writer.stats
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	return Stats{
		Units: st.units.Load(), Refused: st.refused.Load(), Commits: st.commits.Load(), Failures: st.failures.Load(),
		Busy: time.Duration(st.busy.Load()), Queue: len(s.writer.queue),
		DBBytes: size(databaseName), WALBytes: size(databaseName + "-wal"), Seq: s.Seq(),
	}
}

// Gauges counts what is under way.
func (s *Store) Gauges(ctx context.Context) (Gauges, error) {
	var g Gauges
	err := s.read.WithContext(ctx).Raw(`SELECT
		(SELECT count(*) FROM dispatches WHERE status = 'pending') AS dispatches_pending,
		(SELECT count(*) FROM dispatches WHERE status = 'running') AS dispatches_running,
		(SELECT count(*) FROM dispatches WHERE held IS NOT NULL) AS dispatches_held,
		(SELECT count(*) FROM events WHERE firing IS NULL AND state = 'pending') AS events_pending,
		(SELECT count(*) FROM events WHERE firing IS NULL AND state = 'held') AS events_held`).Scan(&g).Error
	return g, err
}

// lastSeq is the largest sequence number that was ever committed.
func lastSeq(ctx context.Context, db *gorm.DB) (int64, error) {
	var seq int64
	err := db.WithContext(ctx).Raw(`SELECT coalesce(max(seq), 0) FROM (
		SELECT max(seq) AS seq FROM dispatches UNION ALL SELECT max(seq) FROM triggers UNION ALL
		SELECT max(seq) FROM events UNION ALL SELECT max(n) FROM firings UNION ALL
		SELECT max(seq) FROM tombstones UNION ALL SELECT max(value) FROM meta WHERE key = 'forgotten' OR key = 'seq')`).Scan(&seq).Error
	return seq, err
}
