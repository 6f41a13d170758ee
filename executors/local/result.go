package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
	"github.com/latticed/latticed/graph"
)

// returned is what came back from the runner, its descriptors made files.
type returned struct {
	*runner.Ended
	files map[*runner.Piece]*os.File
	all   []*os.File
	// trouble is that something is there and could not be had at the moment.
	trouble error
}

func (b *returned) close() {
	for _, f := range b.all {
		_ = f.Close()
	}
}

// result turns the end of an attempt into what the dispatcher stores.
func (e *Executor) result(j *job, m *runner.Ended, fds []int) (executors.Result, error) {
	back, err := receive(m, fds)
	if err == nil {
		err = back.trouble
	}
	if err != nil {
		back.close()
		return executors.Result{}, err
	}
	res := e.outline(m)
	res.Release = func(keep bool) {
		back.close()
		e.release(m.Attempt, keep)
	}
	res.Stdout, res.Notes = back.log(&m.Stdout, res.Notes)
	res.Stderr, res.Notes = back.log(&m.Stderr, res.Notes)
	if m.Cause == runner.CauseLost {
		return res, executors.ErrLost
	}
	rep, err := back.report()
	if err != nil {
		return res, fmt.Errorf("%w: %w", executors.ErrUnknown, err)
	}
	res.Notes = append(res.Notes, rep.Notes...)
	if res.Error = failure(j, m, rep); res.Error != nil {
		return res, nil
	}
	if err := back.harvest(j, &res); err != nil {
		f, ok := errors.AsType[*executors.Failure](err)
		if !ok { // it ended well; that its files can't be read now doesn't change that
			return res, fmt.Errorf("%w: %w", executors.ErrUnknown, err)
		}
		res.Value, res.Pickle, res.Outputs = nil, nil, nil
		res.Error = &graph.Error{Code: f.Code, Message: f.Message}
	}
	return res, nil
}

// receive matches the descriptors of m with what they are, in the order of sending.
func receive(m *runner.Ended, fds []int) (*returned, error) {
	b := &returned{Ended: m, files: map[*runner.Piece]*os.File{}}
	pieces := []*runner.Piece{&m.Stdout, &m.Stderr}
	for i := range m.Collected {
		pieces = append(pieces, &m.Collected[i])
	}
	for i := range m.Outputs {
		pieces = append(pieces, &m.Outputs[i])
	}
	for _, p := range pieces {
		if strings.HasPrefix(p.Problem, runner.ProblemAgain) {
			b.trouble = fmt.Errorf("%w: %s: %s", executors.ErrUnknown, p.Name, p.Problem)
		}
		if !p.FD {
			continue
		}
		if len(fds) == 0 {
			return b, fmt.Errorf("%w: %s came without its bytes", executors.ErrUnknown, p.Name)
		}
		f := os.NewFile(uintptr(fds[0]), p.Name)
		fds = fds[1:]
		b.files[p] = f
		b.all = append(b.all, f)
	}
	runner.CloseAll(fds)
	return b, nil
}

// outline is everything about an end but what was produced.
func (e *Executor) outline(m *runner.Ended) executors.Result {
	res := executors.Result{
		Handle: e.Handle(m.Attempt), WorkDir: m.WorkDir, Notes: m.Notes,
		EndedAt: time.UnixMicro(m.EndedAt), Cancelled: m.Cause == runner.CauseCancel,
	}
	if m.StartedAt != 0 {
		res.StartedAt = time.UnixMicro(m.StartedAt)
		res.Usage = &graph.Usage{
			CPU:    float64(m.CPU) / 1e6,
			MaxRSS: m.MaxRSS,
			Wall:   float64(m.EndedAt-m.StartedAt) / 1e6,
		}
	}
	if m.Exit >= 0 {
		code := int(m.Exit)
		res.ExitCode = &code
	}
	if m.Signal != 0 {
		res.Signal = signalName(m.Signal)
	}
	return res
}

func signalName(n int64) string {
	if s := unix.SignalName(unix.Signal(n)); s != "" {
		return s
	}
	return "signal " + strconv.FormatInt(n, 10)
}

// failure says why an attempt did not succeed, nil when it did.
func failure(j *job, m *runner.Ended, rep report) *graph.Error {
	fail := func(code, format string, args ...any) *graph.Error {
		return &graph.Error{Code: code, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case m.Cause == runner.CauseCancel:
		return fail(executors.CodeCancelled, "cancelled")
	case m.Cause == runner.CauseTimeout:
		return fail(executors.CodeTimeout, "it took longer than its timeout of %s", j.task.Timeout)
	case m.Cause == runner.CauseLogLimit:
		return fail(executors.CodeLogLimit, "it wrote too much to stdout or stderr, where nothing can be cut out of the middle")
	case m.Signal != 0:
		return fail(executors.CodeSignal, "killed by %s", signalName(m.Signal))
	case m.Exit != 0 && rep.Error != "":
		return fail(executors.CodeException, "%s", rep.Error)
	case m.Exit != 0:
		return fail(executors.CodeExit, "exit status %d", m.Exit)
	}
	return nil
}

// report is what the python shim has to say beside the result.
type report struct {
	Error string   `json:"error"`
	Notes []string `json:"notes"`
}

func (b *returned) report() (report, error) {
	var r report
	p := b.collected(reportFile)
	if p == nil {
		return r, nil
	}
	raw, err := b.bytes(p)
	if err != nil {
		return r, err
	}
	_ = json.Unmarshal(raw, &r) // the task may have written nonsense there
	return r, nil
}

// log makes a file of a log, nil when it is empty, and notes what was left out.
func (b *returned) log(p *runner.Piece, notes []string) (*executors.File, []string) {
	switch {
	case p.Omitted > 0:
		notes = append(notes, fmt.Sprintf("%s cut: %d bytes in the middle left out", p.Name, p.Omitted))
	case p.Problem != "" && p.Problem != runner.ProblemMissing:
		notes = append(notes, p.Name+" could not be kept: "+p.Problem)
	}
	if p.Size == 0 || p.Problem != "" {
		return nil, notes
	}
	f := b.file(p, p.Name)
	return &f, notes
}
