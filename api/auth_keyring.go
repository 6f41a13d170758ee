package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/latticed/latticed/store"
)

const (
	rereadKeys = 30 * time.Second // a row may change without us: its trigger was removed
	noteEvery  = time.Minute
)

// keyring has the tokens that were used since the start, so that a request needs no
// reading. Only who has shown the secret gets a token into it, so it is no larger than
// their number.
type keyring struct {
	store *store.Store

	mu    sync.Mutex
	keys  map[string]*key      // by id
	used  map[string]time.Time // since it was last noted
	drops int                  // how often one was dropped
}

// key is a token in use. Its context ends with it, and with that whatever its owner
// follows.
type key struct {
	store.Token
	read time.Time
	ctx  context.Context
	end  context.CancelCauseFunc
}

func newKeyring(s *store.Store) *keyring {
	return &keyring{store: s, keys: map[string]*key{}, used: map[string]time.Time{}}
}

// ended tells why a token lets nobody in any more.
func ended(t store.Token, now time.Time) error {
	switch {
	case !t.RevokedAt.IsZero():
		return errRevoked
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		return errExpired
	}
	return nil
}

// find returns the token of an id if proof says that its owner is there; nil when it
// does not, or when there is none: the two are the same to whoever asks.
func (r *keyring) find(ctx context.Context, id string, proof func(store.Token) bool) (*key, error) {
	for {
		now := time.Now()
		r.mu.Lock()
		have, drops := r.keys[id], r.drops
		r.mu.Unlock()
		var t store.Token
		k := have
		if k != nil && now.Sub(k.read) < rereadKeys {
			t = k.Token
		} else {
			var err error
			if t, err = r.store.TokenByID(ctx, id); errors.Is(err, store.ErrNotFound) {
				return nil, nil
			} else if err != nil {
				return nil, err
			}
			k = nil
		}
		if !proof(t) {
			return nil, nil
		}
		if err := ended(t, now); err != nil {
			if have != nil {
				r.drop(id, err)
			}
			return nil, err
		}
		if k := r.use(k, t, drops, now); k != nil {
			return k, nil
		}
	}
}

// use notes the use of a key, or of a token that was just read. It returns nil when one
// was dropped meanwhile, since it may be that one.
func (r *keyring) use(k *key, t store.Token, drops int, now time.Time) *key {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drops != drops {
		return nil
	}
	r.used[t.ID] = now
	if k != nil {
		return k
	}
	k = &key{Token: t, read: now}
	if have := r.keys[t.ID]; have != nil && have.ctx.Err() == nil { // else the clock was set back
		k.ctx, k.end = have.ctx, have.end
	} else {
		k.ctx, k.end = lifetime(t.ExpiresAt)
	}
	r.keys[t.ID] = k
	return k
}

// lifetime is a context that ends when a token expires, or is revoked.
func lifetime(expires time.Time) (context.Context, context.CancelCauseFunc) {
	ctx, end := context.WithCancelCause(context.Background())
	if expires.IsZero() {
		return ctx, end
	}
	timer := time.AfterFunc(time.Until(expires), func() { end(errExpired) })
	context.AfterFunc(ctx, func() { timer.Stop() })
	return ctx, end
}

// drop takes a token off the ring and breaks off what its owner follows.
func (r *keyring) drop(id string, why error) {
	r.mu.Lock()
	k := r.keys[id]
	delete(r.keys, id)
	r.drops++
	r.mu.Unlock()
	if k != nil {
		k.end(why)
	}
}

// note stores when tokens were last used.
func (r *keyring) note(ctx context.Context) error {
	r.mu.Lock()
	used := r.used
	r.used = map[string]time.Time{}
	r.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	err := r.store.UsedTokens(ctx, used)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		maps.Copy(used, r.used) // what came meanwhile is later
		r.used = used
	}
	return err
}

// recheck reads again what is in use, so that who follows something is also let go
// when a trigger was removed.
func (r *keyring) recheck(ctx context.Context) error {
	r.mu.Lock()
	ids := make([]string, 0, len(r.keys))
	for id := range r.keys {
		ids = append(ids, id)
	}
	r.mu.Unlock()
	for _, id := range ids {
		t, err := r.store.TokenByID(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			r.drop(id, errRevoked)
		case err != nil:
			return err
		default:
			if why := ended(t, time.Now()); why != nil {
				r.drop(id, why)
			}
		}
	}
	return nil
}

// run notes uses until ctx ends, and once more then.
func (r *keyring) run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := errors.Join(r.note(ctx), r.recheck(ctx)); err != nil && ctx.Err() == nil {
				failed(err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
			defer cancel()
			if err := r.note(last); err != nil {
				failed(err)
			}
			return
		}
	}
}

// has is the proof of a bearer.
func has(text string) func(store.Token) bool {
	hash := hashOfToken(text)
	return func(t store.Token) bool { return subtle.ConstantTimeCompare(hash, t.Hash) == 1 }
}
