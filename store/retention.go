package store

import (
	"context"
	"fmt"
	"time"
)

// Retention says how much history is kept. A zero field sets no limit.
//
// A dispatch goes when one of the limits says so, the oldest first. These stay whatever
// the limits say: those that have not ended, or only a minute ago; those marked keep;
// those that a trigger redispatches; those of the last firing of a trigger; and those
// that one that has not ended was made from. With the dispatches go the firings and
// events before them of which no dispatch is left.
type Retention struct {
	Age      time.Duration // of a dispatch, since its end
	Count    int64         // ended dispatches
	Bytes    int64         // of assets that dispatches hold
	AuditAge time.Duration // of the audit trail, and of tokens that are no good any more
}

// Pruned is what a pruning has removed, or would.
type Pruned struct {
	Dispatches int64
	Events     int64
	Firings    int64
	Audit      int64
	Bytes      int64 // of the assets of dispatches
	Kept       int64 // dispatches that the limits concern and that stay all the same
}

// endSettles is how long an end stays at least, so that whoever follows ends learns it.
const endSettles = time.Minute

// bounds are the limits of a Retention at one moment.
type bounds struct {
	now     int64 // µs
	ended   int64 // µs: what ended before is too old
	number  int64 // dispatches up to this one are too many
	excess  int64 // bytes that have to go
	horizon int64 // µs: decided events up to here go once no dispatch is left of them
	audit   int64 // µs
}

func (s *Store) bounds(ctx context.Context, r Retention) (bounds, error) {
	b := bounds{now: s.o.Now().UnixMicro()}
	if r.Age > 0 {
		b.ended = b.now - r.Age.Microseconds()
		b.horizon = b.ended
	}
	if r.AuditAge > 0 {
		b.audit = b.now - r.AuditAge.Microseconds()
	}
	db := s.read.WithContext(ctx)
	if r.Count > 0 {
		var rows []struct{ Number, CreatedAt int64 }
		err := db.Raw("SELECT number, created_at FROM dispatches WHERE "+ended+" ORDER BY number DESC LIMIT 1 OFFSET ?", r.Count).Scan(&rows).Error
		if err != nil {
			return b, fmt.Errorf("count dispatches: %w", err)
		}
		if len(rows) > 0 {
			b.number, b.horizon = rows[0].Number, max(b.horizon, rows[0].CreatedAt)
		}
	}
	if r.Bytes > 0 {
		var held int64
		if err := db.Raw(heldBytes).Scan(&held).Error; err != nil {
			return b, fmt.Errorf("sum up assets: %w", err)
		}
		b.excess = held - r.Bytes
	}
	return b, nil
}

// heldBytes is what dispatches hold: uploads and what lattices include can't be freed by
// removing history.
const heldBytes = `SELECT coalesce(sum(size), 0) FROM assets a
	WHERE refs > (SELECT count(*) FROM lattice_assets l WHERE l.sha256 = a.sha256)`

const ended = "(status = 'completed' OR status = 'failed' OR status = 'cancelled')"

// concerns tells whether the limits speak of a dispatch.
func (b *bounds) concerns(c *candidate) bool {
	at := c.endedAt
	if at == 0 {
		at = c.createdAt
	}
	return at < b.ended || c.number <= b.number || b.excess > 0
}

// over tells whether nothing after c is concerned: it is created later, so it ends later.
func (b *bounds) over(c *candidate) bool {
	return c.createdAt >= b.ended && c.number > b.number && b.excess <= 0
}
