package store

import (
	"context"
	"errors"
	"sync"

	"gorm.io/gorm"
)

// lanes are the connections of the short reads that every dispatch makes several
// times: their statements are compiled once. Lists and what is rare go through gorm.
type lanes struct {
	turns chan struct{} // one for each that may be open

	mu   sync.Mutex
	idle []*session // used last at the end, so that few are open when few are needed
}

func newLanes(n int) *lanes { return &lanes{turns: make(chan struct{}, n)} }

// quick runs short reads that belong together. do must not call quick.
func (s *Store) quick(ctx context.Context, do func(querier) error) error {
	select {
	case s.lanes.turns <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.lanes.turns }()
	lane, err := s.lanes.take(ctx, s.read)
	if err != nil {
		return err
	}
	defer s.lanes.put(lane)
	if _, _, err := lane.exec("BEGIN"); err != nil {
		return err
	}
	err = do(lane)
	if _, _, e := lane.exec("ROLLBACK"); err == nil { // nothing was written
		err = e
	}
	return err
}

func (l *lanes) take(ctx context.Context, db *gorm.DB) (*session, error) {
	l.mu.Lock()
	if n := len(l.idle); n > 0 {
		lane := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		return lane, nil
	}
	l.mu.Unlock()
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	return newSession(ctx, pool)
}

func (l *lanes) put(lane *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, lane)
}

// close ends the lanes; nobody may read any more.
func (l *lanes) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, lane := range l.idle {
		errs = append(errs, lane.close())
	}
	l.idle = nil
	return errors.Join(errs...)
}
