package local

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/latticed/latticed/executors/local/runner"
)

// TestMain lets the test binary be the runner as well: New starts `BINARY runner …`.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		o, err := runner.ParseArgs(os.Args[2:], os.Stderr)
		if err == nil {
			err = runner.Main(context.Background(), o)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
