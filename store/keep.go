package store

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"time"
)

const (
	keepEvery  = time.Hour
	probeEvery = 5 * time.Second // while writing fails
	keepBatch  = 1000            // rows per transaction
)

// nudgeKeeper lets the keeper look now.
func (s *Store) nudgeKeeper() { nudge(s.wakeKeeper) }

// keep sweeps once and prunes from time to time. What fails is tried again the next
// time, so here the errors stop.
func (s *Store) keep(ctx context.Context) {
	if err := s.files.sweep(ctx, s.opened, s.knownFiles(ctx)); err != nil && ctx.Err() == nil {
		s.o.Log.Warn().Str("component", "store").Err(err).Msg("sweep assets")
	}
	probe := time.NewTicker(probeEvery)
	defer probe.Stop()
	first := sync.OnceFunc(func() { close(s.swept) })
	defer first()
	var last time.Time
	for {
		if last.IsZero() || time.Since(last) >= keepEvery {
			last = time.Now()
			if err := s.prune(ctx); err != nil && ctx.Err() == nil {
				s.o.Log.Warn().Str("component", "store").Err(err).Msg("prune")
			}
			first()
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wakeKeeper:
			last = time.Time{}
		case <-probe.C:
			s.probe(ctx)
		}
	}
}

// probe writes something small while the last write failed, so that Health tells when
// there is space again though nobody else writes.
func (s *Store) probe(ctx context.Context) {
	if s.Health() == nil {
		return
	}
	_ = s.change(ctx, func(t *tx) error { // Health has its error
		_, err := t.exec("INSERT INTO meta (key, value) VALUES ('probed', ?) ON CONFLICT DO UPDATE SET value = excluded.value", t.now)
		return err
	})
}

// knownFiles tells which assets have rows.
func (s *Store) knownFiles(ctx context.Context) func([]string) (map[string]bool, error) {
	return func(names []string) (map[string]bool, error) {
		known := make(map[string]bool, len(names))
		for len(names) > 0 {
			part := names[:min(100, len(names))]
			names = names[len(part):]
			shas := make([][]byte, len(part))
			for i, n := range part {
				var err error
				if shas[i], err = hash(n); err != nil {
					return nil, err
				}
			}
			var found [][]byte
			if err := s.read.WithContext(ctx).Raw("SELECT sha256 FROM assets WHERE sha256 IN ?", shas).Scan(&found).Error; err != nil {
				return nil, err
			}
			for _, sha := range found {
				known[hex.EncodeToString(sha)] = true
			}
		}
		return known, nil
	}
}

// prune removes what had its time, in small transactions.
func (s *Store) prune(ctx context.Context) error {
	now := s.o.Now()
	keys, uploads := now.Add(-s.o.KeyAge).UnixMicro(), now.Add(-s.o.UploadAge).UnixMicro()
	stuck := s.pieces.expire(now.Add(-s.o.UploadAge)) // a file that won't go keeps nothing else
	for _, step := range []func(*tx) (int64, error){
		func(t *tx) (int64, error) {
			return t.exec(`DELETE FROM idempotency_keys WHERE (principal, route, key) IN
				(SELECT principal, route, key FROM idempotency_keys WHERE created_at < ? LIMIT ?)`, keys, keepBatch)
		},
		func(t *tx) (int64, error) { return t.forgetTombstones(keys) },
		func(t *tx) (int64, error) {
			return t.exec(`DELETE FROM uploads WHERE (sha256, owner) IN (SELECT sha256, owner FROM uploads WHERE created_at < ? LIMIT ?)`, uploads, keepBatch)
		},
		func(t *tx) (int64, error) { return t.dropUnusedAssets(uploads) },
		func(t *tx) (int64, error) {
			return t.exec(`DELETE FROM entities WHERE (trigger, key) IN (SELECT e.trigger, e.key FROM triggers t
				CROSS JOIN entities e ON e.trigger = t.n WHERE t.removed_at IS NOT NULL LIMIT ?)`, keepBatch)
		},
		func(t *tx) (int64, error) {
			return t.exec(`DELETE FROM past_keys WHERE (trigger, hash) IN (SELECT p.trigger, p.hash FROM triggers t
				CROSS JOIN past_keys p ON p.trigger = t.n WHERE t.removed_at IS NOT NULL LIMIT ?)`, keepBatch)
		},
		func(t *tx) (int64, error) { // gives one free page back per step
			return 0, t.rows("PRAGMA incremental_vacuum(256)", nil, func(rowScanner) error { return nil })
		},
	} {
		if err := s.pruneStep(ctx, step); err != nil {
			return errors.Join(stuck, err)
		}
	}
	return stuck
}

// pruneStep repeats a step until a transaction finds less than it may take.
func (s *Store) pruneStep(ctx context.Context, step func(*tx) (int64, error)) error {
	for {
		var n int64
		err := s.change(ctx, func(t *tx) error {
			var err error
			n, err = step(t)
			return err
		})
		if err != nil || n < keepBatch {
			return err
		}
	}
}

func (t *tx) forgetTombstones(before int64) (int64, error) {
	var last int64
	err := t.row("SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM tombstones WHERE at < ? ORDER BY seq LIMIT ?)", []any{before, keepBatch}, &last)
	if err != nil || last == 0 {
		return 0, err
	}
	_, err = t.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)", forgotten, last)
	if err != nil {
		return 0, err
	}
	return t.exec("DELETE FROM tombstones WHERE seq <= ?", last)
}

// dropUnusedAssets removes assets that no row names and no young upload keeps.
func (t *tx) dropUnusedAssets(before int64) (int64, error) {
	var ns []any
	err := t.rows(`SELECT n FROM assets WHERE refs = 0 AND created_at < ?
		AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.sha256 = assets.sha256) LIMIT ?`, []any{before, keepBatch / 10}, func(r rowScanner) error {
		var n int64
		err := r.Scan(&n)
		ns = append(ns, n)
		return err
	})
	if err != nil || len(ns) == 0 {
		return 0, err
	}
	if err := t.removeUnused("n IN "+values(1, len(ns)), ns...); err != nil || len(ns) < keepBatch/10 {
		return 0, err
	}
	return keepBatch, nil
}
