package spool

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// What an operator is shown is the same for who has the spool and who only looks.
func TestStatus_tells_since_when(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := openAt(t, dir, Options{})
	both := func(check func(who string, st Status)) {
		t.Helper()
		own, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		check("who has it", own)
		read, err := Read(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		check("who looks", read)
	}
	both(func(who string, st Status) {
		if !st.Oldest.IsZero() || st.Refused == nil || len(st.Refused) != 0 || st.Owner != "scans" || !st.Running || st.Health.State != "" {
			t.Errorf("%s: %+v", who, st)
		}
	})
	before := time.Now().Add(-time.Second)
	s.mustEmit(t, events("a", "b"))
	e, _, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Refuse(t.Context(), e, "no"); err != nil {
		t.Fatal(err)
	}
	s.report(triggers.Degraded, "slow")
	s.Trouble("the daemon is away")
	both(func(who string, st Status) {
		if st.Oldest.Before(before) || st.Oldest.After(time.Now()) || len(st.Refused) != 1 || st.Refused[0].Key != "a" || !st.Refused[0].At.Equal(st.Oldest) || st.Waiting != 1 {
			t.Errorf("%s: %+v", who, st)
		}
		if h := st.Health; h.State != triggers.Degraded || h.Reason != "slow" || h.Trouble != "the daemon is away" || h.Since.Before(before) {
			t.Errorf("%s: %+v", who, h)
		}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err := Read(t.Context(), dir); err != nil || st.Running || st.Waiting != 1 {
		t.Errorf("when nobody has it: %+v %v", st, err)
	}
	s = openAt(t, dir, Options{})
	if h := s.Health(); h.State != triggers.Degraded || h.Trouble != "the daemon is away" {
		t.Errorf("opened again: %+v", h)
	}
}
