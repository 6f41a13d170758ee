package store

import (
	"context"
	"strings"
	"sync/atomic"
	"time"
)

// Audit says that somebody changed something.
type Audit struct {
	At        time.Time
	Principal string
	Via       string // the door
	Remote    string // the address of the other end; empty on the socket
	Action    string // the operation
	Object    string // id or name of what was changed
	Status    int    // how the request was answered
}

// AuditFilter selects entries; zero fields select all.
type AuditFilter struct {
	Principal string
	Object    string
	Actions   []string
	Since     time.Time // at or after
	Until     time.Time // before
	Limit     int
	After     string
}

type auditRow struct {
	N         int64 `gorm:"primaryKey"`
	At        int64
	Principal string
	Via       string
	Remote    string
	Action    string
	Object    string
	Status    int
}

func (auditRow) TableName() string { return "audit" }

type auditKey struct{}

// pendingAudit is the entry of one request, in its context.
type pendingAudit struct {
	Audit
	row    atomic.Int64 // of the entry once it is durable
	closed atomic.Bool  // the request is answered: what still goes on has its entry
}

// WithAudit returns a context whose first change of the store saves a, in the same
// transaction. Status is what the request will probably be answered with.
func WithAudit(ctx context.Context, a Audit) context.Context {
	return context.WithValue(ctx, auditKey{}, &pendingAudit{Audit: a})
}

func auditFrom(ctx context.Context) *pendingAudit {
	p, _ := ctx.Value(auditKey{}).(*pendingAudit)
	if p == nil || p.row.Load() != 0 || p.closed.Load() {
		return nil
	}
	return p
}

// around adds the entry to what do changes.
func (p *pendingAudit) around(do func(*tx) error) func(*tx) error {
	return func(t *tx) error {
		if err := do(t); err != nil {
			return err
		}
		return p.insert(t)
	}
}

func (p *pendingAudit) insert(t *tx) error {
	n, err := t.insert("INSERT INTO audit (at, principal, via, remote, action, object, status) VALUES (?,?,?,?,?,?,?)",
		t.now, p.Principal, p.Via, p.Remote, p.Action, p.Object, p.Status)
	t.after(func() { p.row.Store(n) })
	return err
}

// Audited says how the request of ctx is going to be answered: when that comes back
// the entry is durable. A request that changed nothing gets one only if always is set.
func (s *Store) Audited(ctx context.Context, status int, always bool) error {
	p, _ := ctx.Value(auditKey{}).(*pendingAudit)
	if p == nil || p.closed.Swap(true) {
		return nil
	}
	n := p.row.Load()
	switch {
	case n == 0 && !always, n != 0 && p.Status == status:
		return nil
	}
	p.Status = status
	return s.change(context.WithoutCancel(ctx), func(t *tx) error {
		if n == 0 {
			return p.insert(t)
		}
		_, err := t.exec("UPDATE audit SET status = ? WHERE n = ?", status, n)
		return err
	})
}

// AuditPage returns entries, newest first.
func (s *Store) AuditPage(ctx context.Context, f AuditFilter) ([]Audit, string, error) {
	c, err := parseCursor("audit", f.After)
	if err != nil {
		return nil, "", err
	}
	conds, args := []string{"1"}, []any{}
	also := func(sql string, arg any) { conds = append(conds, sql); args = append(args, arg) }
	if f.Principal != "" {
		also("principal = ?", f.Principal)
	}
	if f.Object != "" {
		also("object = ?", f.Object)
	}
	if len(f.Actions) > 0 {
		also("action IN ?", f.Actions)
	}
	if !f.Since.IsZero() {
		also("at >= ?", f.Since.UnixMicro())
	}
	if !f.Until.IsZero() {
		also("at < ?", f.Until.UnixMicro())
	}
	if c != nil {
		also("n < ?", c.N)
	}
	limit := limitOf(f.Limit)
	var rows []auditRow
	q := "SELECT * FROM audit WHERE " + strings.Join(conds, " AND ") + " ORDER BY n DESC LIMIT ?"
	if err := s.read.WithContext(ctx).Raw(q, append(args, limit+1)...).Scan(&rows).Error; err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = pageCursor{K: "audit", N: rows[limit-1].N}.String()
	}
	out := make([]Audit, len(rows))
	for i, r := range rows {
		out[i] = Audit{
			At: fromMicros(r.At), Principal: r.Principal, Via: r.Via, Remote: r.Remote,
			Action: r.Action, Object: r.Object, Status: r.Status,
		}
	}
	return out, next, nil
}

// NameAudit says what the entry of ctx is about, before the change.
func NameAudit(ctx context.Context, object string) {
	if p, _ := ctx.Value(auditKey{}).(*pendingAudit); p != nil {
		p.Object = object
	}
}
