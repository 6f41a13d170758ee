package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
