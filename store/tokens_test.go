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

func TestAudit(t *testing.T) {
	entry := func(object string) Audit {
		return Audit{Principal: "token:ci", Via: "tls", Remote: "10.0.0.7:4711", Action: "DeleteDispatch", Object: object, Status: 204}
	}
	all := func(t *testing.T, s *Store, f AuditFilter) (got []string) {
		t.Helper()
		for f.Limit = 2; ; {
			es, next, err := s.AuditPage(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				got = append(got, fmt.Sprint(e.Object, " ", e.Status))
			}
			if f.After = next; next == "" {
				return got
			}
		}
	}

	t.Run("the entry is saved with the first change, and only once", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		ctx := WithAudit(t.Context(), entry("7"))
		must(s.InsertDispatch(ctx, dispatchOf(l)))(t)
		must(s.InsertDispatch(ctx, dispatchOf(l)))(t)
		s = reopen(t, s) // nobody said how it was answered
		if got := all(t, s, AuditFilter{}); !slices.Equal(got, []string{"7 204"}) {
			t.Error(got)
		}
	})

	t.Run("a change that was refused has none", func(t *testing.T) {
		s := openNew(t)
		ctx := WithAudit(t.Context(), entry("7"))
		if err := s.DeleteDispatch(ctx, "7"); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if err := s.Audited(ctx, 404, false); err != nil {
			t.Fatal(err)
		}
		if got := all(t, s, AuditFilter{}); got != nil {
			t.Error(got)
		}
	})

	t.Run("the answer is what it says in the end", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		ctx := WithAudit(t.Context(), entry("7"))
		d := must(s.InsertDispatch(ctx, dispatchOf(l)))(t)
		if err := errors.Join(s.Audited(ctx, 500, true), s.Audited(ctx, 204, true)); err != nil {
			t.Fatal(err)
		}
		must(s.PatchDispatch(ctx, d.ID, DispatchPatch{}))(t) // goes on after the answer
		forbidden := WithAudit(t.Context(), entry("8"))
		if err := errors.Join(s.Audited(forbidden, 403, true), s.Audited(t.Context(), 200, true)); err != nil {
			t.Fatal(err)
		}
		if got := all(t, s, AuditFilter{}); !slices.Equal(got, []string{"8 403", "7 500"}) {
			t.Error(got)
		}
	})

	t.Run("pages are filtered", func(t *testing.T) {
		start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		now := start
		s := openAt(t, filepath.Join(t.TempDir(), "state"), Options{Now: func() time.Time { return now }})
		for i := range 6 {
			e := entry(fmt.Sprint(i % 3))
			if i > 3 {
				e.Principal = "anna"
			}
			now = start.Add(time.Duration(i) * time.Minute)
			if err := s.Audited(WithAudit(t.Context(), e), 200+i, true); err != nil {
				t.Fatal(err)
			}
		}
		for _, w := range []struct {
			f    AuditFilter
			want []string
		}{
			{AuditFilter{}, []string{"2 205", "1 204", "0 203", "2 202", "1 201", "0 200"}},
			{AuditFilter{Object: "1"}, []string{"1 204", "1 201"}},
			{AuditFilter{Principal: "anna"}, []string{"2 205", "1 204"}},
			{AuditFilter{Since: start.Add(time.Minute), Until: start.Add(3 * time.Minute)}, []string{"2 202", "1 201"}},
			{AuditFilter{Principal: "nobody"}, nil},
		} {
			if got := all(t, s, w.f); !slices.Equal(got, w.want) {
				t.Errorf("%+v: %v", w.f, got)
			}
		}
		got := must2(s.AuditPage(t.Context(), AuditFilter{Limit: 1}))(t)
		want := []Audit{{At: now, Principal: "anna", Via: "tls", Remote: "10.0.0.7:4711", Action: "DeleteDispatch", Object: "2", Status: 205}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("units that share a commit have each their own", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "x", 1)
		errs := make(chan error, 50)
		for i := range cap(errs) {
			go func() {
				ctx := WithAudit(t.Context(), entry(fmt.Sprint(i)))
				if i%5 == 0 {
					errs <- s.DeleteDispatch(ctx, "999")
					return
				}
				_, err := s.InsertDispatch(ctx, dispatchOf(l))
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil && !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		}
		if n, d := rows(t, s, "audit"), rows(t, s, "dispatches"); n != 40 || d != 40 {
			t.Errorf("%d entries, %d dispatches", n, d)
		}
	})
}

func must2[T, U any](v T, _ U, err error) func(testing.TB) T { return must(v, err) }
