// Package executortest is the suite that every executor must pass: one test per
// sentence of the contract of executors.Executor.
package executortest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// Place is where attempts of one test run. It outlives the executors made for it, as
// attempts outlive the daemon.
type Place interface {
	// Open makes an executor as a daemon that starts does. The suite closes none; it
	// may have several at a time.
	Open(t *testing.T) executors.Executor
}

// Run runs the suite. Attempts must be able to see the files below t.TempDir.
func Run(t *testing.T, place func(t *testing.T) Place) {
	s := suite{place}
	for name, test := range map[string]func(*testing.T){
		"ends/success":                            s.success,
		"ends/exit_status":                        s.exitStatus,
		"ends/signal":                             s.signal,
		"ends/timeout":                            s.timeout,
		"ends/timeout_with_no_one_looking":        s.timeoutAlone,
		"starts/a_missing_command_is_permanent":   s.missingCommand,
		"starts/a_file_without_x_is_permanent":    s.notExecutable,
		"starts/a_long_value_is_permanent":        s.longValue,
		"starts/a_nul_is_permanent":               s.nul,
		"starts/well_after_others_were_killed":    s.afterKill,
		"starts/once_however_often_it_is_asked":   s.once,
		"starts/nothing_when_already_cancelled":   s.cancelledBefore,
		"detach/returns_and_leaves_it_alone":      s.detach,
		"detach/a_later_process_joins":            s.join,
		"detach/a_later_process_gets_the_end":     s.endedMeanwhile,
		"detach/an_unreleased_end_is_kept":        s.endKept,
		"cancel/leaves_nothing":                   s.cancelLeavesNothing,
		"cancel/asks_before_it_kills":             s.cancelAsks,
		"cancel/kills_what_ignores_it":            s.cancelKills,
		"cancel/reaches_an_attempt_of_the_past":   s.cancelJoined,
		"result/trimmed_stdout":                   s.resultStdout,
		"result/file_beats_stdout":                s.resultFile,
		"result/modes":                            s.resultModes,
		"result/bad_json":                         s.resultInvalid,
		"result/too_large":                        s.resultTooLarge,
		"outputs/collected":                       s.outputs,
		"outputs/missing":                         s.outputMissing,
		"outputs/no_directory":                    s.outputDirectory,
		"outputs/no_way_out":                      s.outputEscapes,
		"files/laid_out":                          s.files,
		"environment/long_data_in_args":           s.args,
		"stdin/is_empty":                          s.stdin,
		"logs/both_kept":                          s.logs,
		"logs/seen_while_it_runs":                 s.liveLog,
		"release/removes_or_keeps_the_directory":  s.release,
		"release/settle_does_it_for_the_departed": s.settle,
		"check/passes":                            s.check,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
	t.Run("environment/only_what_is_given", s.environment) // sets a variable of this process
}

type suite struct {
	place func(t *testing.T) Place
}

// Bash makes a task of a script.
func Bash(script string) executors.Task {
	return executors.Task{
		Attempt: newID(), Dispatch: newID(), Number: 1, Electron: "it",
		Body: graph.Body{Kind: "bash", Bash: script}, Grace: 300 * time.Millisecond,
		Timeout: 2 * time.Minute, // ends it after a test that was killed
	}
}

// Argv makes a task of a command.
func Argv(argv ...string) executors.Task {
	t := Bash("")
	t.Body, t.Argv = graph.Body{Kind: "run"}, argv
	return t
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// end is what a Run returned.
type end struct {
	executors.Result
	err error
}

// follow runs a task beside the test.
type follow struct {
	t      *testing.T
	cancel context.CancelCauseFunc
	done   chan end
}

func (s *suite) begin(t *testing.T, e executors.Executor, task executors.Task) *follow {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	f := &follow{t: t, cancel: cancel, done: make(chan end, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r, err := e.Run(ctx, task)
		f.done <- end{r, err}
	}()
	t.Cleanup(func() {
		cancel(executors.ErrCancelled) // a test that failed leaves nothing running
		<-gone
	})
	return f
}

// wait returns the end of a Run that should return by itself.
func (f *follow) wait() end {
	f.t.Helper()
	select {
	case r := <-f.done:
		return r
	case <-time.After(time.Minute):
		f.t.Fatal("Run does not return")
		return end{}
	}
}

// run runs a task to its end.
func (s *suite) run(t *testing.T, task executors.Task) executors.Result {
	t.Helper()
	return s.runAt(t, s.place(t).Open(t), task)
}

func (s *suite) runAt(t *testing.T, e executors.Executor, task executors.Task) executors.Result {
	t.Helper()
	r := s.begin(t, e, task).wait()
	if r.err != nil {
		t.Fatalf("Run: %v", r.err)
	}
	t.Cleanup(func() {
		if r.Release != nil {
			r.Release(false)
		}
	})
	return r.Result
}

// known makes a task of one that an earlier process has started.
func known(e executors.Executor, task executors.Task) executors.Task {
	task.Handle = []byte("null")
	if h, ok := e.(executors.Handler); ok {
		task.Handle = h.Handle(task.Attempt)
	}
	return task
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("it did not come about that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func wantCode(t *testing.T, r executors.Result, code string) {
	t.Helper()
	got := ""
	if r.Error != nil {
		got = r.Error.Code
	}
	if got != code {
		t.Fatalf("error is %q (%+v), want %q", got, r.Error, code)
	}
}
