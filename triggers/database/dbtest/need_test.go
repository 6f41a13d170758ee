package dbtest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// witness notes how a test would have ended.
type witness struct {
	testing.TB
	skipped, failed string
}

func (*witness) Helper() {}

func (w *witness) Skipf(format string, args ...any) {
	w.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (w *witness) Fatalf(format string, args ...any) {
	w.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestServer_that_is_not_installed_skips_loudly_and_fails_in_CI(t *testing.T) {
	e := engine{name: "nothing", pack: "postgresql-99", tools: []string{"/usr/lib/postgresql/99/bin/postgres"}}
	for ci, want := range map[string]func(w *witness) string{
		"":     func(w *witness) string { return w.skipped },
		"true": func(w *witness) string { return w.failed },
	} {
		t.Setenv("CI", ci)
		w := &witness{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.need(w)
		}()
		<-done
		if got := want(w); !strings.Contains(got, "postgresql-99") {
			t.Errorf("with CI=%q it is skipped with %q, or fails with %q", ci, w.skipped, w.failed)
		}
	}
}
