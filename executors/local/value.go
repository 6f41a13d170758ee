package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
	"github.com/latticed/latticed/graph"
)

const (
	maxResult = 1 << 20  // of a JSON value
	maxPickle = 64 << 20 // of the python object behind it
)

// harvest collects what a successful attempt produced: its result and its outputs. A
// *executors.Failure says that it isn't what was declared.
func (b *returned) harvest(j *job, res *executors.Result) error {
	if err := b.outputs(j, res); err != nil {
		return err
	}
	if p := b.collected(pickleFile); p != nil && p.Problem == "" && j.task.Body.Kind == kindPython {
		if p.Size > maxPickle {
			return executors.Failf(executors.CodeResultTooLarge,
				"the pickled result is %d bytes, %d are possible: write it to a file and declare that under outputs", p.Size, maxPickle)
		}
		f := b.file(p, "result.pickle")
		res.Pickle = &f
	}
	if p := b.collected(resultFile); p != nil {
		return b.fromFile(j, p, res)
	}
	if j.task.Body.Kind == kindPython {
		return nil // what it prints is no result
	}
	return b.fromStdout(j, res)
}

func (b *returned) fromFile(j *job, p *runner.Piece, res *executors.Result) error {
	if p.Problem != "" {
		return executors.Failf(executors.CodeResultInvalid, "$LATTICED_RESULT is no regular file (%s)", p.Problem)
	}
	if p.Size > maxResult {
		return executors.Failf(executors.CodeResultTooLarge,
			"the result is %d bytes, %d are possible: write it to a file and declare that under outputs", p.Size, maxResult)
	}
	raw, err := b.bytes(p)
	if err != nil {
		return err
	}
	mode := j.task.Result
	if j.task.Body.Kind == kindPython {
		mode = "json"
	}
	res.Value, err = value(mode, raw, "$LATTICED_RESULT")
	return err
}

// fromStdout takes what was printed as the result. A program that was never told to
// print a result may print a lot; it has none then, and doesn't fail for it.
func (b *returned) fromStdout(j *job, res *executors.Result) error {
	mode := j.task.Result
	if b.Stdout.Omitted > 0 || b.Stdout.Size > maxResult {
		size := b.Stdout.Size + b.Stdout.Omitted
		if mode == "" {
			res.Notes = append(res.Notes, fmt.Sprintf("no result: stdout is %d bytes, a result has at most %d", size, maxResult))
			return nil
		}
		return executors.Failf(executors.CodeResultTooLarge,
			"stdout, which is the result, has %d bytes, %d are possible: write it to a file and declare that under outputs", size, maxResult)
	}
	raw, err := b.bytes(&b.Stdout)
	if err != nil {
		return err
	}
	if mode == "" {
		if len(bytes.TrimSpace(raw)) == 0 {
			return nil
		}
		mode = "text"
	}
	if !utf8.Valid(raw) {
		res.Notes = append(res.Notes, "the result held bytes that are no UTF-8; they were replaced")
	}
	res.Value, err = value(mode, raw, "stdout")
	return err
}

// value reads raw as mode says, JSON if it says nothing.
func value(mode string, raw []byte, from string) (json.RawMessage, error) {
	switch mode {
	case "text":
		return plain(strings.TrimSpace(string(raw)))
	case "lines":
		lines := []string{}
		for line := range strings.Lines(strings.TrimSpace(string(raw))) {
			lines = append(lines, strings.ToValidUTF8(strings.TrimRight(line, "\r\n"), "\uFFFD"))
		}
		return plain(lines)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, executors.Failf(executors.CodeResultInvalid, "%s is empty and should hold JSON", from)
	}
	if _, err := graph.DecodeValue(raw); err != nil {
		return nil, executors.Failf(executors.CodeResultInvalid, "%s is no JSON value: %w", from, err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, executors.Failf(executors.CodeResultInvalid, "%s is no JSON value: %w", from, err)
	}
	return out.Bytes(), nil
}

// plain writes text or lines as JSON.
func plain(v any) (json.RawMessage, error) {
	if s, ok := v.(string); ok {
		v = strings.ToValidUTF8(s, "\uFFFD")
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	if out.Len() > 2*maxResult { // control characters take six bytes each
		return nil, executors.Failf(executors.CodeResultTooLarge, "the result is %d bytes as JSON", out.Len())
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// outputs collects the declared files.
func (b *returned) outputs(j *job, res *executors.Result) error {
	var missing []string
	for i, o := range j.task.Outputs {
		if i >= len(b.Outputs) {
			return fmt.Errorf("the runner left out output %s", o.Name)
		}
		p := &b.Outputs[i]
		switch p.Problem {
		case "":
			if res.Outputs == nil {
				res.Outputs = make(map[string]executors.File, len(j.task.Outputs))
			}
			res.Outputs[o.Name] = b.file(p, o.Name)
		case runner.ProblemMissing:
			if !o.Optional {
				missing = append(missing, fmt.Sprintf("%s (%s)", o.Name, o.Path))
			}
		default:
			return executors.Failf(executors.CodeOutputInvalid, "output %s: %s %s", o.Name, o.Path, outputProblem(p.Problem))
		}
	}
	if len(missing) > 0 {
		return executors.Failf(executors.CodeOutputMissing,
			"it ended well but left no %s; mark it optional if that is fine", strings.Join(missing, ", "))
	}
	return nil
}

func outputProblem(problem string) string {
	switch problem {
	case runner.ProblemIrreg:
		return "is a directory or another thing that is no file: pack directories into an archive (tar)"
	case runner.ProblemEscapes:
		return "is a link that leads out of the working directory"
	}
	return "can't be read: " + strings.TrimPrefix(problem, runner.ProblemError)
}
