package local

import (
	"os"
	"sync"
	"syscall"
	"testing"
)

// The floor and the same through the runner, in one run: compare them as ratios.
func BenchmarkAttempts(b *testing.B) {
	b.Run("forkexec/one", func(b *testing.B) { bare(b, 1) })
	b.Run("runner/one", func(b *testing.B) { through(b, 1) })
	b.Run("forkexec/two", func(b *testing.B) { bare(b, 2) })
	b.Run("runner/two", func(b *testing.B) { through(b, 2) })
}

func workers(b *testing.B, n int, do func()) {
	var wg sync.WaitGroup
	work := make(chan struct{})
	for range n {
		wg.Go(func() {
			for range work {
				do()
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
}

func bare(b *testing.B, n int) {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	fd := null.Fd()
	workers(b, n, func() {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Files: []uintptr{fd, fd, fd}})
		if err != nil {
			b.Error(err)
			return
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			b.Error(err)
		}
	})
}

func through(b *testing.B, n int) {
	e := newPlace(b, benchOptions).start()
	if err := e.Check(b.Context()); err != nil {
		b.Fatal(err)
	}
	workers(b, n, func() {
		res, err := e.Run(b.Context(), task(kindRun, "/bin/true"))
		if err != nil || res.Error != nil {
			b.Error(err, res.Error)
			return
		}
		res.Release(false)
	})
}

func benchOptions(o *Options) { o.Runner.NoCgroup = os.Getenv("BENCH_NO_CGROUP") != "" }
