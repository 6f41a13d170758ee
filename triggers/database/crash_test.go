package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// The source is stopped, or refused, at any moment and begun again from what is stored,
// while another process writes rows in and out of order: each is reported once.
func TestRows_are_reported_once_whenever_the_source_stops(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			path, w := lab(t, journal)
			w.do("CREATE INDEX by_at ON samples (at)")
			r := on(t, path, "samples", map[string]any{"cursor": "at", "limit": int64(50), "start": "beginning"})
			emits := atomic.Int64{}
			r.refuse = func() error {
				if emits.Add(1)%5 == 0 {
					return errors.New("the ledger is full")
				}
				return nil
			}
			rows, done := 0, time.After(2*time.Second)
			rnd := rand.New(rand.NewPCG(1, 2))
			for writing := true; writing; {
				select {
				case <-done:
					writing = false
				default:
				}
				stop := r.start()
				for range rnd.IntN(8) {
					w.do("BEGIN IMMEDIATE")
					for range rnd.IntN(12) {
						rows++
						late := rnd.IntN(40) // tenths of a second, also the same ones again
						w.do("INSERT INTO samples (name, at) VALUES ('x', strftime('%Y-%m-%d %H:%M:%f', 'now', ?))", fmt.Sprintf("-%d.%d seconds", late/10, late%10))
					}
					w.do("COMMIT")
				}
				stop()
			}
			r.start()
			r.until(fmt.Sprint(rows, " events"), func() bool { return len(r.events) >= rows })
			if len(r.events) != rows {
				t.Errorf("%d events of %d rows", len(r.events), rows)
			}
			t.Logf("%d rows, %d batches", rows, emits.Load())
		})
	}
}

// What the ledger drops because it knows the key is no excuse: after a restart nothing
// is read again that was stored.
func TestRows_stored_are_not_emitted_again_by_the_next_source(t *testing.T) {
	path, w := lab(t, "wal")
	r := on(t, path, "samples", map[string]any{"cursor": "at"})
	stop := r.start()
	r.active()
	for n := range 20 {
		w.do("INSERT INTO samples VALUES (?, 'x', ?)", n+1, fmt.Sprint(n/5))
	}
	r.until("all", func() bool { return len(r.events) == 20 })
	stop()
	p := newPool(Options{})
	s := &source{pool: p, config: configOf(t, r.fields)}
	s.link = joined(t, p, s.place)
	defer func() { _ = s.Close() }()
	b, err := s.next(context.Background(), r.cursor)
	if err != nil || len(b.events) > 0 || b.more {
		t.Errorf("read again: %d events, %v", len(b.events), err)
	}
}
