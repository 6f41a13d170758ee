package database

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// pool has one link for each database that is watched.
type pool struct {
	own   string   // the daemon's own database
	roots []string // where files may be; empty: anywhere

	mu    sync.Mutex
	links map[string]*link
	keys  keys

	seats    atomic.Uint64
	counters counters
}

func newPool(o Options) *pool { return &pool{own: o.Own, roots: o.Roots, links: map[string]*link{}} }

// next is a number for each source, from which its place among the others follows.
func (p *pool) next() uint64 { return p.seats.Add(1) }

// stagger is where in its interval a source polls: the golden ratio spreads any number
// of them evenly.
func stagger(seat uint64, interval time.Duration) time.Duration {
	const golden = 0x9E3779B97F4A7C15 // 2^64 / φ
	return time.Duration(float64(seat*golden) / (1 << 64) * float64(interval))
}

// slot is the next instant after now at which a source of that seat polls.
func slot(seat uint64, interval time.Duration, now time.Time) time.Time {
	at := now.Truncate(interval).Add(stagger(seat, interval))
	if !at.After(now) {
		at = at.Add(interval)
	}
	return at
}

// join is the link to a database. Each call wants one leave. The error is that of ctx, or
// a *downError.
func (p *pool) join(ctx context.Context, at place) (*link, error) {
	key, err := p.keys.of(ctx, at)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.links[key]
	if l == nil {
		l = newLink(p, key, at)
		p.links[key] = l
	}
	l.users++
	return l, nil
}

// leave gives a link back. The last one to leave closes it.
func (p *pool) leave(l *link) {
	p.mu.Lock()
	l.users--
	last := l.users == 0
	if last {
		delete(p.links, l.key)
	}
	p.mu.Unlock()
	if last {
		l.end()
	}
}

// Stats are the numbers of all databases together. They name none.
type Stats struct {
	Connections int   // that are open
	Databases   int   // that are watched
	Down        int   // of them, those that can't be reached
	Polls       int64 // since the start
	Connects    int64
	Rows        int64 // that became events, or were found to be events already
}

type counters struct{ connections, polls, connects, rows atomic.Int64 }

func (p *pool) stats() Stats {
	s := Stats{
		Connections: int(p.counters.connections.Load()), Polls: p.counters.polls.Load(),
		Connects: p.counters.connects.Load(), Rows: p.counters.rows.Load(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Databases = len(p.links)
	for _, l := range p.links {
		if l.isDown.Load() {
			s.Down++
		}
	}
	return s
}
