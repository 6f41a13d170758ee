package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync/atomic"

	"gorm.io/gorm"
)

// Once makes the changes of one request happen once: its key is saved in the same
// transaction as the effect, with the answer.
type Once struct {
	Principal string
	Route     string // method and pattern
	Key       string // the Idempotency-Key
	Body      []byte // what the request said; only its hash is kept

	// Render makes the answer out of what a change returned: graph.Dispatch, Stored,
	// triggers.Trigger, Recorded, []graph.Dispatch (Fire), graph.Asset or Deleted. It
	// is called inside the transaction, must not use the store, and may be called
	// again when the transaction is repeated. False: this change is a step on the way,
	// a later one has the answer.
	Render func(v any) (Answer, bool, error)
}

// Answer is a rendered HTTP answer.
type Answer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// Deleted is what Render gets when something was removed.
type Deleted struct{ ID string }

// ReplayedError comes back from a change whose key was saved before, by a request
// that ran at the same time: nothing was changed, Answer is the first one.
type ReplayedError struct{ Answer Answer }

func (e *ReplayedError) Error() string { return "the request was answered before" }

type onceKey struct{}

// pendingOnce is a Once in the context of its request.
type pendingOnce struct {
	*Once
	saved atomic.Bool // the answer is durable; later changes of the request are free
}

// WithOnce returns a context in which changes of the store happen once.
func WithOnce(ctx context.Context, o *Once) context.Context {
	return context.WithValue(ctx, onceKey{}, &pendingOnce{Once: o})
}

func onceFrom(ctx context.Context) *pendingOnce {
	o, _ := ctx.Value(onceKey{}).(*pendingOnce)
	if o == nil || o.saved.Load() {
		return nil
	}
	return o
}

// Replay returns the answer that was given to o before, if any; ErrKeyReused when its
// body differs.
func (s *Store) Replay(ctx context.Context, o Once) (Answer, bool, error) {
	return o.find(s.read.WithContext(ctx))
}

// Amend replaces the answer that was saved for o by one that took longer to know than
// its transaction.
func (s *Store) Amend(ctx context.Context, o Once, a Answer) error {
	header, err := jsonText(a.Header, len(a.Header) == 0)
	if err != nil {
		return err
	}
	return s.change(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE idempotency_keys SET status = ?, header = ?, body = ? WHERE principal = ? AND route = ? AND key = ?",
			a.Status, header, a.Body, o.Principal, o.Route, o.Key)
		return err
	})
}

func (o *Once) find(db *gorm.DB) (Answer, bool, error) {
	var rows []keyRow
	err := db.Where("principal = ? AND route = ? AND key = ?", o.Principal, o.Route, o.Key).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return Answer{}, false, err
	}
	sum := sha256.Sum256(o.Body)
	if !slices.Equal(rows[0].BodyHash, sum[:]) {
		return Answer{}, false, fmt.Errorf("key %q: %w", o.Key, ErrKeyReused)
	}
	header, err := fromJSONMap[string](rows[0].Header)
	return Answer{Status: rows[0].Status, Header: header, Body: rows[0].Body}, err == nil, err
}

// around refuses do when the key is known.
func (o *pendingOnce) around(do func(*tx) error) func(*tx) error {
	return func(t *tx) error {
		a, found, err := o.find(t.gorm())
		if err != nil {
			return err
		}
		if found {
			return &ReplayedError{Answer: a}
		}
		t.u.once = o
		return do(t)
	}
}

// effect is called at the end of a unit with what it returns to its caller.
func (t *tx) effect(v any) error {
	o := t.u.once
	if o == nil || o.Render == nil {
		return nil
	}
	a, ok, err := o.Render(v)
	if err != nil || !ok {
		return err
	}
	if err := t.keepAnswer(o.Once, a); err != nil {
		return err
	}
	t.after(func() { o.saved.Store(true) })
	return nil
}

func (t *tx) keepAnswer(o *Once, a Answer) error {
	header, err := jsonText(a.Header, len(a.Header) == 0)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(o.Body)
	_, err = t.exec("INSERT INTO idempotency_keys (principal, route, key, body_hash, status, header, body, created_at) VALUES (?,?,?,?,?,?,?,?)",
		o.Principal, o.Route, o.Key, sum[:], a.Status, header, a.Body, t.now)
	return err
}

// Keep saves the answer to a request whose effect took no transaction, or several: one
// that could be repeated, and did no harm, as long as nobody had its answer. When it
// was answered meanwhile that is a *ReplayedError.
func (s *Store) Keep(ctx context.Context, o Once, a Answer) error {
	return s.change(WithOnce(ctx, &o), func(t *tx) error { return t.keepAnswer(&o, a) })
}
