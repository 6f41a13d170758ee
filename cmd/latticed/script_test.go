package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/latticed/latticed/executors/executortest"
)

// The scripts run the real binary. Beside testscript's own commands there are
//
//	up SOCKET        waits until a daemon listens
//	status N CMD…    runs a command and wants its exit status to be N
//	eventually CMD…  repeats a command until it succeeds
func TestScripts(t *testing.T) {
	bin := filepath.Dir(binary(t))
	testscript.Run(t, testscript.Params{
		Dir:         "testdata/script",
		WorkdirRoot: root(),
		Setup: func(env *testscript.Env) error {
			dir, tidy, err := newDir()
			if err != nil {
				return err
			}
			env.Defer(func() {
				if err := errors.Join(tidy(), executortest.End(env.WorkDir)); err != nil {
					t.Error(err)
				}
			})
			env.Setenv("PATH", bin+string(os.PathListSeparator)+"/usr/local/bin:/usr/bin:/bin")
			env.Setenv("LATTICED_SOCKET", filepath.Join(dir, "s"))
			env.Setenv("STATE", filepath.Join(dir, "state"))
			env.Setenv("XDG_RUNTIME_DIR", dir)
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up":         up,
			"status":     status,
			"eventually": untilItSucceeds,
		},
	})
}

const patience = 60 * time.Second

func up(ts *testscript.TestScript, _ bool, _ []string) {
	socket := ts.Getenv("LATTICED_SOCKET")
	for limit := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(limit) {
			ts.Fatalf("nobody listens at %s", socket)
		}
	}
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		_, code, _ := strings.Cut(err.Error(), "exit status ")
		if got, err = strconv.Atoi(code); err != nil {
			got = -1
		}
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func untilItSucceeds(ts *testscript.TestScript, _ bool, args []string) {
	for limit := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if ts.Exec(args[0], args[1:]...) == nil {
			return
		}
		if time.Now().After(limit) {
			ts.Fatalf("never succeeded: %s", strings.Join(args, " "))
		}
	}
}
