package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// descriptors lists what is open here, but what the Go runtime has.
func descriptors(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, n := range names {
		if to, err := os.Readlink(n); err == nil && !strings.HasPrefix(to, "anon_inode:") {
			out[n] = to
		}
	}
	return out
}

// keepsNoDescriptor fails a test that leaves more open than it found.
func keepsNoDescriptor(t *testing.T) {
	t.Helper()
	before := descriptors(t)
	t.Cleanup(func() {
		for n, to := range descriptors(t) {
			if before[n] != to {
				t.Errorf("it has left %s open", to)
			}
		}
	})
}
