package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// actor is an executor that does what the first word of an electron's argv says:
//
//	say WORDS…      writes them to stdout and leaves them as its result
//	value JSON      leaves a result
//	file NAME TEXT  leaves an output
//	fail CODE TEXT  writes to stderr and exits
//	flaky           fails at first, then says hello
//	hold            writes what the test tells it, until it is told to end
type actor struct {
	dir string

	mu    sync.Mutex
	lines map[string]chan string // by electron, of those that hold
	sick  error                  // what Check says
	tries int                    // of flaky
}

func newActor(t *testing.T) *actor {
	return &actor{dir: t.TempDir(), lines: map[string]chan string{}}
}

func (a *actor) Kind() string { return "actor" }

func (a *actor) Check(context.Context) error { return a.sick }

// tell makes a holding electron write a line; it waits until the electron is there.
func (a *actor) tell(electron, line string) { a.lineOf(electron) <- line }

// end lets a holding electron end.
func (a *actor) end(electron string) { close(a.lineOf(electron)) }

func (a *actor) lineOf(electron string) chan string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lines[electron] == nil {
		a.lines[electron] = make(chan string)
	}
	return a.lines[electron]
}

func (a *actor) logFile(attempt, stream string) string {
	return filepath.Join(a.dir, attempt+"."+stream)
}

// Log implements executors.Logger.
func (a *actor) Log(_ context.Context, attempt, stream string) (io.ReadSeekCloser, error) {
	return os.Open(a.logFile(attempt, stream))
}

// Run implements executors.Executor.
func (a *actor) Run(ctx context.Context, t executors.Task) (executors.Result, error) {
	zero := 0
	res := executors.Result{StartedAt: time.Now(), ExitCode: &zero, WorkDir: "/kept/" + t.Attempt}
	var out string
	switch words := t.Argv[1:]; t.Argv[0] {
	case "say":
		out = strings.Join(words, " ") + "\n"
		res.Value, _ = json.Marshal(strings.Join(words, " "))
	case "value":
		res.Value = json.RawMessage(words[0])
	case "file":
		data := []byte(words[1])
		res.Outputs = map[string]executors.File{words[0]: {Name: words[0], Size: int64(len(data)), Data: data}}
	case "fail":
		code, err := strconv.Atoi(words[0])
		if err != nil {
			return res, err
		}
		res.ExitCode = &code
		res.Error = &graph.Error{Code: executors.CodeExit, Message: fmt.Sprintf("exit code %d", code)}
		data := []byte(words[1])
		res.Stderr = &executors.File{Name: "stderr", Size: int64(len(data)), Data: data}
	case "flaky":
		out = a.flaky(&res)
	case "hold":
		var err error
		if out, err = a.hold(ctx, t); err != nil {
			if errors.Is(err, executors.ErrDetached) {
				return executors.Result{}, err
			}
			res.Cancelled, res.ExitCode, res.Signal = true, nil, "SIGTERM"
		}
	}
	if out != "" {
		res.Stdout = &executors.File{Name: "stdout", Size: int64(len(out)), Data: []byte(out)}
	}
	res.EndedAt = time.Now()
	return res, nil
}

func (a *actor) flaky(res *executors.Result) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tries++; a.tries > 1 {
		return "hello\n"
	}
	one := 1
	res.ExitCode, res.Error = &one, &graph.Error{Code: executors.CodeExit, Message: "exit status 1"}
	return "sorry\n"
}

func (a *actor) hold(ctx context.Context, t executors.Task) (string, error) {
	f, err := os.Create(a.logFile(t.Attempt, "stdout"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	var all strings.Builder
	for {
		select {
		case line, more := <-a.lineOf(t.Electron):
			if !more {
				return all.String(), nil
			}
			all.WriteString(line)
			if _, err := f.WriteString(line); err != nil {
				return "", err
			}
		case <-ctx.Done():
			return all.String(), context.Cause(ctx)
		}
	}
}
