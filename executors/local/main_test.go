package local

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors/local/runner"
)

// TestMain lets the test binary be the runner as well: New starts `BINARY runner …`.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		o, err := runner.ParseArgs(os.Args[2:], os.Stderr)
		if err == nil {
			ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
			err = runner.Main(ctx, o)
			stop()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// A program built to find races sleeps for a second when it ends; runners end often here.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
