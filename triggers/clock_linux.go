package triggers

import (
	"context"
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// WatchClock tells when the kernel says that the wall clock was set, or that the
// machine woke up. Its goroutine ends with ctx. nil: the kernel can't tell.
func WatchClock(ctx context.Context) <-chan struct{} {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	timer := os.NewFile(uintptr(fd), "timerfd")
	// A moment that never comes; but to wait for it is cancelled when the clock is set.
	never := unix.ItimerSpec{Value: unix.NsecToTimespec(math.MaxInt64)}
	arm := func() error {
		return unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil)
	}
	if arm() != nil {
		_ = timer.Close() // nothing is in it
		return nil
	}
	set := make(chan struct{}, 1)
	stop := context.AfterFunc(ctx, func() { _ = timer.Close() }) // ends the read
	go func() {
		defer stop()
		buf := make([]byte, 8)
		for {
			if _, err := timer.Read(buf); !errors.Is(err, unix.ECANCELED) {
				return // closed; the manager looks at the clock by itself, too
			}
			select {
			case set <- struct{}{}:
			default: // told already
			}
			if arm() != nil {
				return
			}
		}
	}()
	return set
}
