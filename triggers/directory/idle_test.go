package directory

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// TestIdle measures what ten thousand small folders cost while nothing happens. It
// takes minutes and is run by hand: LATTICED_IDLE=60s go test -run TestIdle -v
func TestIdle(t *testing.T) {
	d, err := time.ParseDuration(os.Getenv("LATTICED_IDLE"))
	if err != nil {
		t.Skip("measured by hand")
	}
	const n = 10_000
	w := newWorld(t)
	for i := range n {
		dir := fmt.Sprintf("%s/%05d", w.dir, i)
		w.mkdir(dir)
		w.write(fmt.Sprintf("%05d/a", i), "1")
		w.write(fmt.Sprintf("%05d/b", i), "1")
		spec := fmt.Sprintf(`{"name":"t%d","kind":"directory","lattice":"show","dir_path":%q}`, i, dir)
		if _, _, err := w.manager.Add(t.Context(), []byte(spec), triggers.Principal{}); err != nil {
			t.Fatal(err)
		}
	}
	w.until(5 * time.Second)
	var before, after syscall.Rusage
	w.must(syscall.Getrusage(syscall.RUSAGE_SELF, &before))
	w.until(d)
	w.must(syscall.Getrusage(syscall.RUSAGE_SELF, &after))
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	t.Logf("%d triggers used %s of %s: %.2f %% of a core; %d KiB", n, used, d, 100*float64(used)/float64(d), after.Maxrss)
	if used > d/50 {
		t.Errorf("that is too much")
	}
}
