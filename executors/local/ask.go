package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
)

// Info says who runs local attempts.
type Info struct {
	PID      int
	Protocol int
	User     string
	UID      int
	Cgroup   string // where attempts get control groups of their own, empty when nowhere
	WorkDir  string
}

// Info asks the runner who it is, starting one when there is none.
func (e *Executor) Info(ctx context.Context) (Info, error) {
	l, err := e.link(ctx)
	if err != nil {
		return Info{}, err
	}
	h := l.hello
	return Info{
		PID: int(h.PID), Protocol: int(h.Protocol), User: h.User, UID: int(h.UID), Cgroup: h.Cgroup, WorkDir: h.WorkDir,
	}, nil
}

// Check implements executors.Checker: a runner answers and could start something.
func (e *Executor) Check(ctx context.Context) error {
	rep, err := e.check(ctx)
	if err == nil && rep.Problem == runner.CodeMoved {
		rep, err = e.check(ctx)
	}
	if err != nil {
		return err
	}
	if rep.Problem != "" {
		return errors.New("the runner can't start attempts: " + rep.Problem)
	}
	return nil
}

func (e *Executor) check(ctx context.Context) (*runner.Reply, error) {
	l, err := e.link(ctx)
	if err != nil {
		return nil, err
	}
	a, err := l.ask(ctx, func(n int64) runner.Message { return &runner.Check{Request: n} })
	if err != nil {
		return nil, err
	}
	rep, ok := a.m.(*runner.Reply)
	if !ok {
		return &runner.Reply{}, nil
	}
	if rep.Problem == runner.CodeMoved {
		e.retire(l)
	}
	return rep, nil
}

// Log implements executors.Logger. What was cut out of the middle of a long log reads
// as a line that says so.
func (e *Executor) Log(ctx context.Context, attempt, stream string) (io.ReadSeekCloser, error) {
	l, err := e.link(ctx)
	if err != nil {
		return nil, err
	}
	a, err := l.ask(ctx, func(n int64) runner.Message {
		return &runner.Log{Request: n, Attempt: attempt, Stream: stream}
	})
	if err != nil {
		return nil, err
	}
	rep, ok := a.m.(*runner.Reply)
	switch {
	case ok && len(a.fds) == 1:
		return &liveLog{f: os.NewFile(uintptr(a.fds[0]), attempt+"/"+stream)}, nil
	case ok && rep.Problem == runner.ProblemMissing:
		return nil, fmt.Errorf("%s of attempt %s: %w", stream, attempt, os.ErrNotExist)
	}
	runner.CloseAll(a.fds)
	if !ok {
		return nil, fmt.Errorf("%s of attempt %s: %w", stream, attempt, executors.ErrUnknown)
	}
	return nil, fmt.Errorf("%s of attempt %s: %s", stream, attempt, rep.Problem)
}

// Settle implements executors.Settler.
func (e *Executor) Settle(ctx context.Context, live func(attempt string) bool) error {
	l, err := e.link(ctx)
	if err != nil {
		return err
	}
	a, err := l.ask(ctx, func(n int64) runner.Message { return &runner.List{Request: n} })
	if err != nil {
		return err
	}
	m, ok := a.m.(*runner.Attempts)
	if !ok {
		return executors.ErrUnknown
	}
	settle := func(ids []string, keep bool) error {
		for _, id := range ids {
			if live(id) {
				continue
			}
			if err := l.conn.Send(&runner.Release{Attempt: id, Keep: keep}); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.Join(settle(m.Ended, false), settle(m.Failed, true))
}
