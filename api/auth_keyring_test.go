package api

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/store"
)

func TestLifetime_of_a_token(t *testing.T) {
	t.Run("ends_when_it_expires", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := lifetime(time.Now().Add(2 * time.Hour))
			defer end(nil)
			time.Sleep(2*time.Hour - time.Second)
			if ctx.Err() != nil {
				t.Error("it ends too early")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if !errors.Is(context.Cause(ctx), errExpired) {
				t.Error(context.Cause(ctx))
			}
		})
	})
	t.Run("ends_when_it_is_revoked", func(t *testing.T) {
		ctx, end := lifetime(time.Time{})
		end(errRevoked)
		if !errors.Is(context.Cause(ctx), errRevoked) {
			t.Error(context.Cause(ctx))
		}
	})
}

func TestKeyring(t *testing.T) {
	yes := func(store.Token) bool { return true }
	t.Run("lets_nobody_in_whose_token_is_revoked_meanwhile", func(t *testing.T) {
		h := newHouse(t)
		_, tok := h.token(store.Token{Role: RoleAdmin, Name: "ci"})
		revoke := sync.OnceFunc(func() { h.do("DELETE /v1/tokens/ci").want(204) })
		k, err := h.server.keys.find(t.Context(), tok.ID, func(store.Token) bool { revoke(); return true })
		if k != nil || !errors.Is(err, errRevoked) {
			t.Errorf("%v, %v", k, err)
		}
	})
	t.Run("finds_out_that_the_trigger_of_one_was_removed", func(t *testing.T) {
		h := newHouse(t)
		text := h.source("in")
		id, _ := idOfToken(text)
		k, err := h.server.keys.find(t.Context(), id, yes)
		if err != nil || k == nil {
			t.Fatal(k, err)
		}
		h.do("DELETE /v1/triggers/in").want(204)
		if err := h.server.keys.recheck(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(context.Cause(k.ctx), errRevoked) {
			t.Error("what its user follows goes on")
		}
	})
	t.Run("lets_in_again_when_the_clock_was_set_back", func(t *testing.T) {
		h := newHouse(t)
		_, tok := h.token(store.Token{Role: RoleAdmin, Name: "ci"})
		r := h.server.keys
		k, err := r.find(t.Context(), tok.ID, yes)
		if err != nil {
			t.Fatal(err)
		}
		k.end(errExpired)
		r.mu.Lock()
		k.read = time.Time{}
		r.mu.Unlock()
		if k, err := r.find(t.Context(), tok.ID, yes); err != nil || k == nil || k.ctx.Err() != nil {
			t.Errorf("%v, %v", k, err)
		}
	})
}
