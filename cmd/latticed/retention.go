package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

// Retention says how much history is kept. What is marked keep, what a trigger needs and
// what has not ended stays whatever is said here.
type Retention struct {
	// Age is how long a dispatch is kept after its end, text such as "90d" or a number of
	// seconds. Default: for ever.
	Age any `toml:"age"`
	// Count is how many dispatches that have ended are kept. Default: all.
	Count int64 `toml:"count"`
	// Bytes is how much of results, outputs and logs is kept, text such as "50GiB" or a
	// number of bytes. Default: all.
	Bytes any `toml:"bytes"`
	// AuditAge is how long the audit trail is kept. Default: 365 days.
	AuditAge any `toml:"audit_age"`

	rules store.Retention
}

const defaultAuditAge = 365 * 24 * time.Hour

// fill reads the values; wrong tells of those that can't be read.
func (r *Retention) fill() {
	r.rules = store.Retention{Count: r.Count, AuditAge: defaultAuditAge}
	if d, err := graph.ParseDuration(r.Age); err == nil {
		r.rules.Age = d
	}
	if n, err := graph.ParseSize(r.Bytes); err == nil {
		r.rules.Bytes = n
	}
	if d, err := graph.ParseDuration(r.AuditAge); err == nil {
		r.rules.AuditAge = d
	}
}

func (r *Retention) wrong() (found []error) {
	for _, f := range []struct {
		key   string
		value any
	}{{"age", r.Age}, {"audit_age", r.AuditAge}} {
		if f.value == nil {
			continue
		}
		if d, err := graph.ParseDuration(f.value); err != nil {
			found = append(found, fmt.Errorf("retention.%s: %w", f.key, err))
		} else if d <= 0 {
			found = append(found, fmt.Errorf("retention.%s must be more than nothing; leave it out to keep all", f.key))
		}
	}
	if r.Bytes != nil {
		if n, err := graph.ParseSize(r.Bytes); err != nil {
			found = append(found, fmt.Errorf("retention.bytes: %w", err))
		} else if n <= 0 {
			found = append(found, errors.New("retention.bytes must be more than nothing; leave it out to keep all"))
		}
	}
	if r.Count < 0 {
		found = append(found, fmt.Errorf("retention.count must not be negative, is %d", r.Count))
	}
	return found
}

const (
	janitorFirst = 5 * time.Minute // after the start, when other things are to be done
	janitorEvery = time.Hour
)

// janitor prunes from time to time, and when the rules have changed. What was restored
// from a backup it leaves alone until somebody has let it go on: it may have been
// restored to be looked at, and all of it be old.
type janitor struct {
	store *store.Store
	log   zerolog.Logger
	wake  chan struct{}

	mu    sync.Mutex
	rules store.Retention
	last  store.Pruned // of the whole time
}

func newJanitor(s *store.Store, r Retention, log zerolog.Logger) *janitor {
	return &janitor{store: s, rules: r.rules, log: log.With().Str(keyComponent, "retention").Logger(), wake: make(chan struct{}, 1)}
}

// retention is how much is kept now.
func (j *janitor) retention() store.Retention {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.rules
}

// set changes the rules, which count at once.
func (j *janitor) set(r store.Retention) {
	j.mu.Lock()
	changed := j.rules != r
	j.rules = r
	j.mu.Unlock()
	if changed {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
}

// pruned is what it has removed since the start.
func (j *janitor) pruned() store.Pruned {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Run prunes until ctx ends.
func (j *janitor) Run(ctx context.Context) error {
	next := time.NewTimer(janitorFirst)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-next.C:
		case <-j.wake:
		}
		j.prune(ctx)
		next.Reset(janitorEvery)
	}
}

func (j *janitor) prune(ctx context.Context) {
	if _, held, err := j.store.Held(ctx); held || err != nil {
		if err != nil && ctx.Err() == nil {
			j.log.Error().Err(err).Msg("nothing is pruned: whether it was restored can't be read")
		}
		return
	}
	began := time.Now()
	did, err := j.store.Prune(ctx, j.retention(), false)
	j.mu.Lock()
	j.last.Dispatches += did.Dispatches
	j.last.Events += did.Events
	j.last.Bytes += did.Bytes
	j.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		j.log.Error().Err(err).Msg("pruning failed; it is tried again in an hour")
	}
	if did.Dispatches+did.Events+did.Firings+did.Audit > 0 {
		j.log.Info().Int64("dispatches", did.Dispatches).Int64("events", did.Events).Int64("firings", did.Firings).
			Int64("audit", did.Audit).Int64("bytes", did.Bytes).Int64("kept", did.Kept).Dur(keyDur, time.Since(began)).Msg("pruned")
	}
}
