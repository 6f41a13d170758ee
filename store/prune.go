package store

import (
	"context"
	"fmt"
	"time"
)

const (
	prunePage = 200                   // rows read at a time
	pruneRest = 50 * time.Millisecond // the longest pause after a transaction
	// pruneElectrons bounds what goes of one dispatch in a transaction.
	pruneElectrons = 50
	vacuumPages    = 32
)

// Prune removes history by r, or with dry only says what would go. It works in small
// transactions with pauses, so that others are held up for moments only, and can be
// broken off anywhere: what is gone is gone, the rest goes the next time.
func (s *Store) Prune(ctx context.Context, r Retention, dry bool) (Pruned, error) {
	s.pruning.Lock()
	defer s.pruning.Unlock()
	b, err := s.bounds(ctx, r)
	if err != nil {
		return Pruned{}, fmt.Errorf("prune: %w", err)
	}
	p := &pruner{s: s, dry: dry, most: pruneTurn, bounds: b}
	if dry {
		p.gone, p.released = map[string]struct{}{}, map[string]int64{}
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"a dispatch that was begun with", p.begun},
		{"dispatches", p.dispatches},
		{"firings", p.firings},
		{"audit", p.audit},
		{"triggers", p.triggers},
		{"lattices", p.lattices},
		{"pages", p.vacuum},
	} {
		if err := step.do(ctx); err != nil {
			return p.out, fmt.Errorf("prune %s: %w", step.what, err)
		}
	}
	return p.out, nil
}

// pruner is one pruning.
type pruner struct {
	s    *Store
	dry  bool
	most time.Duration // of work in the next transaction
	bounds
	out Pruned

	// What a dry one believes to be gone.
	gone     map[string]struct{} // dispatches by id
	released map[string]int64    // assets: places that named them
}

// change runs a transaction and rests as long as it held the writer, so that at least
// half of the writer's time is for others.
func (p *pruner) change(ctx context.Context, do func(*tx, turn) error) error {
	var began time.Time
	err := p.s.change(ctx, func(t *tx) error {
		began = time.Now() // not before: to wait for others holds nobody up
		return do(t, turn{w: t.w, began: began, most: p.most})
	})
	if err != nil {
		return err
	}
	held := time.Since(began)
	p.most = nextTurn(p.most, held)
	rest := time.NewTimer(min(held, pruneRest))
	defer rest.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-rest.C:
		return nil
	}
}

// vacuum gives free pages back to the file system.
func (p *pruner) vacuum(ctx context.Context) error {
	for !p.dry {
		var before, after int64
		err := p.change(ctx, func(t *tx, turn turn) error {
			if err := t.row("PRAGMA freelist_count", nil, &before); err != nil || before == 0 {
				return err
			}
			for after = before; after > 0 && (after == before || turn.left()); {
				was := after
				if err := t.rows(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages), nil, func(rowScanner) error { return nil }); err != nil {
					return err
				}
				if err := t.row("PRAGMA freelist_count", nil, &after); err != nil || after == was {
					return err // the file was made without auto_vacuum
				}
			}
			return nil
		})
		if err != nil || after == 0 || after == before {
			return err
		}
	}
	return nil
}
