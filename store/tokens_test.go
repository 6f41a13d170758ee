package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func tokenNamed(name string) Token {
	id, err := newID()
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte("text of " + id))
	return Token{ID: id, Name: name, Role: "viewer", Hash: sum[:], Owner: "anna", CreatedBy: "anna"}
}

func TestTokens(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	open := func(t *testing.T) *Store {
		return openAt(t, filepath.Join(t.TempDir(), "state"), Options{Now: func() time.Time { return now }})
	}

	t.Run("one is found again as it was stored", func(t *testing.T) {
		s := open(t)
		k := tokenNamed("ci")
		k.ExpiresAt = now.Add(time.Hour)
		want := must(s.InsertToken(t.Context(), k))(t)
		s = reopen(t, s)
		for _, by := range []string{k.ID, "ci"} {
			if diff := cmp.Diff(want, must(s.Token(t.Context(), by))(t)); diff != "" {
				t.Error(by, diff)
			}
		}
		if diff := cmp.Diff(want, must(s.TokenByID(t.Context(), k.ID))(t)); diff != "" {
			t.Error(diff)
		}
		if _, err := s.TokenByID(t.Context(), "ci"); !errors.Is(err, ErrNotFound) {
			t.Error("found by name:", err)
		}
	})

	t.Run("a name is taken until its token has ended", func(t *testing.T) {
		s := open(t)
		first := must(s.InsertToken(t.Context(), tokenNamed("ci")))(t)
		var taken *ConflictError
		if _, err := s.InsertToken(t.Context(), tokenNamed("ci")); !errors.As(err, &taken) || taken.Code != "name_taken" {
			t.Fatal(err)
		}
		if k := must(s.RevokeToken(t.Context(), "ci"))(t); k.ID != first.ID {
			t.Error(k)
		}
		second := tokenNamed("ci")
		second.ExpiresAt = now.Add(-time.Second)
		must(s.InsertToken(t.Context(), second))(t)
		third := must(s.InsertToken(t.Context(), tokenNamed("ci")))(t)
		if k := must(s.Token(t.Context(), "ci"))(t); k.ID != third.ID {
			t.Errorf("the name is that of %s", k.ID)
		}
		if k := must(s.TokenByID(t.Context(), second.ID))(t); !k.RevokedAt.Equal(second.ExpiresAt) {
			t.Errorf("ended at %s", k.RevokedAt)
		}
	})

	t.Run("revoking again changes nothing", func(t *testing.T) {
		s := open(t)
		k := must(s.InsertToken(t.Context(), tokenNamed("ci")))(t)
		must(s.RevokeToken(t.Context(), k.ID))(t)
		at := must(s.TokenByID(t.Context(), k.ID))(t).RevokedAt
		must(s.RevokeToken(t.Context(), k.ID))(t)
		if again := must(s.TokenByID(t.Context(), k.ID))(t).RevokedAt; !again.Equal(at) || at.IsZero() {
			t.Error(at, again)
		}
		for _, gone := range []string{"ci", "nobody"} {
			if _, err := s.RevokeToken(t.Context(), gone); !errors.Is(err, ErrNotFound) {
				t.Error(gone, err)
			}
		}
	})

	t.Run("one for a trigger ends with it", func(t *testing.T) {
		s := open(t)
		tr := must(s.CreateTrigger(t.Context(), triggerOn(must(s.InsertDispatch(t.Context(), dispatchOf(withLattice(t, s, "x", 1))))(t), "in")))(t)
		k := tokenNamed("agent")
		k.Role, k.Trigger = "source", "in"
		k = must(s.InsertToken(t.Context(), k))(t)
		if got := must(s.TokenByID(t.Context(), k.ID))(t); got.Trigger != tr.ID || got.TriggerName != "in" || !got.RevokedAt.IsZero() {
			t.Errorf("%+v", got)
		}
		if err := s.RemoveTrigger(t.Context(), tr.ID); err != nil {
			t.Fatal(err)
		}
		if got := must(s.TokenByID(t.Context(), k.ID))(t); got.RevokedAt.IsZero() {
			t.Error("it lives on")
		}
		must(s.InsertToken(t.Context(), tokenNamed("agent")))(t)
		k.ID, k.Name, k.Trigger = "other", "other", "in"
		if _, err := s.InsertToken(t.Context(), k); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})

	t.Run("last use only moves forward", func(t *testing.T) {
		s := open(t)
		k := must(s.InsertToken(t.Context(), tokenNamed("ci")))(t)
		for _, at := range []time.Time{now.Add(time.Minute), now, now.Add(time.Second)} {
			if err := s.UsedTokens(t.Context(), map[string]time.Time{k.ID: at, "gone": at}); err != nil {
				t.Fatal(err)
			}
		}
		if at := must(s.Token(t.Context(), "ci"))(t).LastUsedAt; !at.Equal(now.Add(time.Minute)) {
			t.Error(at)
		}
	})

	t.Run("pages have each once, those that ended only when asked for", func(t *testing.T) {
		s := open(t)
		var want []string
		for i := range 7 {
			k := tokenNamed(fmt.Sprint("t", i))
			if i == 3 {
				k.ExpiresAt = now
			}
			must(s.InsertToken(t.Context(), k))(t)
			want = append(want, k.Name)
		}
		must(s.RevokeToken(t.Context(), "t5"))(t)
		slices.Reverse(want)
		all := func(f TokenFilter) (names []string) {
			for f.Limit = 2; ; {
				ks, next, err := s.Tokens(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, k := range ks {
					names = append(names, k.Name)
				}
				if f.After = next; next == "" {
					return names
				}
			}
		}
		if got := all(TokenFilter{All: true}); !slices.Equal(got, want) {
			t.Error(got)
		}
		if got := all(TokenFilter{}); !slices.Equal(got, []string{"t6", "t4", "t2", "t1", "t0"}) {
			t.Error(got)
		}
		if _, _, err := s.Tokens(t.Context(), TokenFilter{After: "x"}); !errors.Is(err, ErrCursor) {
			t.Error(err)
		}
	})
}
