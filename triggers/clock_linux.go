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
	if armTimer(timer) != nil {
		_ = timer.Close() // nothing is in it
		return nil
	}
	set := make(chan struct{}, 1)
	stop := context.AfterFunc(ctx, func() { _ = timer.Close() }) // ends the read
	go func() {
		defer timer.Close()
		defer stop()
		buf := make([]byte, 8)
		for {
			if _, err := timer.Read(buf); !errors.Is(err, unix.ECANCELED) {
				return // closed; the manager looks at the clock by itself, too
			}
			err := armTimer(timer) // first, so that whoever is told sees all there was
			select {
			case set <- struct{}{}:
			default: // told already
			}
			if err != nil {
				return
			}
		}
	}()
	return set
}

// armTimer waits for a moment that never comes; but that is cancelled when the clock is
// set.
func armTimer(timer *os.File) error {
	conn, err := timer.SyscallConn()
	if err != nil {
		return err
	}
	never := unix.ItimerSpec{Value: unix.NsecToTimespec(math.MaxInt64)}
	if failed := conn.Control(func(fd uintptr) { // not the number, which is another file's once this is closed
		err = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil)
	}); failed != nil {
		return failed
	}
	return err
}
