package local

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
	"github.com/latticed/latticed/graph"
)

// judged is what becomes of an end as the runner tells it.
func judged(t *testing.T, task executors.Task, m *runner.Ended, fds ...int) (executors.Result, error) {
	t.Helper()
	e, err := New(Options{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if task.Body.Kind == "" {
		task.Body.Kind = kindRun
	}
	return e.result(&job{task: &task}, m, fds)
}

func collected(name, text string) []runner.Piece {
	return []runner.Piece{{Name: name, Size: int64(len(text)), Data: []byte(text)}}
}

// Cause, signal, exit status and report are judged in that order.
func TestResult_codes(t *testing.T) {
	report := collected(reportFile, `{"error":"ValueError: x","notes":["a note"]}`)
	for name, c := range map[string]struct {
		m    runner.Ended
		want string
	}{
		"well":                       {runner.Ended{}, ""},
		"exit":                       {runner.Ended{Exit: 7}, "exit_code: exit status 7"},
		"exception":                  {runner.Ended{Exit: 1, Collected: report}, "exception: ValueError: x"},
		"a_report_of_what_went_well": {runner.Ended{Collected: report}, ""},
		"nonsense_for_a_report":      {runner.Ended{Exit: 1, Collected: collected(reportFile, `{"error":`)}, "exit_code: exit status 1"},
		"signal":                     {runner.Ended{Exit: -1, Signal: 9, Collected: report}, "signal: killed by SIGKILL"},
		"signal_without_a_name":      {runner.Ended{Exit: -1, Signal: 63}, "signal: killed by signal 63"},
		"timeout":                    {runner.Ended{Exit: -1, Signal: 15, Cause: runner.CauseTimeout}, "timeout: it took longer than its timeout of 3s"},
		"timeout_though_it_was_done": {runner.Ended{Cause: runner.CauseTimeout}, "timeout: it took longer than its timeout of 3s"},
		"cancelled":                  {runner.Ended{Exit: -1, Signal: 15, Cause: runner.CauseCancel}, "cancelled: cancelled"},
		"log_limit":                  {runner.Ended{Exit: -1, Signal: 9, Cause: runner.CauseLogLimit}, "log_limit: it wrote too much"},
	} {
		t.Run(name, func(t *testing.T) {
			c.m.StartedAt, c.m.EndedAt, c.m.CPU, c.m.MaxRSS, c.m.WorkDir, c.m.Notes = 1e6, 3e6, 5e5, 77, "/w", []string{"first"}
			res, err := judged(t, executors.Task{Timeout: 3 * time.Second}, &c.m)
			got := ""
			if res.Error != nil {
				got = res.Error.Code + ": " + res.Error.Message
			}
			if err != nil || got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			if (res.ExitCode != nil) != (c.m.Exit >= 0) || res.ExitCode != nil && *res.ExitCode != int(c.m.Exit) || (res.Signal != "") != (c.m.Signal != 0) || res.Cancelled != (c.m.Cause == runner.CauseCancel) {
				t.Errorf("exit %v, signal %q, cancelled %v", res.ExitCode, res.Signal, res.Cancelled)
			}
			if u := res.Usage; u == nil || u.CPU != 0.5 || u.Wall != 2 || u.MaxRSS != 77 || res.StartedAt.UnixMicro() != 1e6 || res.EndedAt.UnixMicro() != 3e6 || res.WorkDir != "/w" || res.Notes[0] != "first" {
				t.Errorf("%+v %+v", u, res)
			}
			if noted := len(res.Notes) > 1; noted != (len(c.m.Collected) > 0 && strings.Contains(string(c.m.Collected[0].Data), "notes")) {
				t.Errorf("notes %q", res.Notes)
			}
		})
	}
	t.Run("lost", func(t *testing.T) {
		res, err := judged(t, executors.Task{}, &runner.Ended{Exit: -1, Cause: runner.CauseLost})
		if !errors.Is(err, executors.ErrLost) || res.Release == nil || res.Usage != nil || !res.StartedAt.IsZero() {
			t.Errorf("%+v %v", res, err)
		}
	})
}

func TestResult_values(t *testing.T) {
	long := strings.Repeat("x", maxResult)
	for name, c := range map[string]struct {
		mode, kind   string
		file, stdout string
		omitted      int64
		value, code  string
		note         string
	}{
		"nothing":                   {value: ""},
		"blank":                     {stdout: " \n"},
		"printed":                   {stdout: " a <b>\n", value: `"a <b>"`},
		"printed_text":              {mode: "text", stdout: "\n", value: `""`},
		"printed_lines":             {mode: "lines", stdout: "a\r\nb\n\nc\n", value: `["a","b","","c"]`},
		"no_lines":                  {mode: "lines", stdout: "\n", value: `[]`},
		"printed_json":              {mode: "json", stdout: "{\"a\": [1, 2.50]}\n", value: `{"a":[1,2.50]}`},
		"no_json":                   {mode: "json", stdout: " ", code: executors.CodeResultInvalid},
		"wrong_json":                {mode: "json", stdout: "{a}", code: executors.CodeResultInvalid},
		"json_with_a_key_twice":     {mode: "json", stdout: `{"a":1,"a":2}`, code: executors.CodeResultInvalid},
		"json_and_more":             {mode: "json", stdout: `1 2`, code: executors.CodeResultInvalid},
		"no_utf8":                   {stdout: "a\xff", value: "\"a\uFFFD\"", note: "no UTF-8"},
		"no_utf8_in_lines":          {mode: "lines", stdout: "a\xff\nb", value: "[\"a\uFFFD\",\"b\"]", note: "no UTF-8"},
		"as_long_as_may_be":         {mode: "text", stdout: long, value: `"` + long + `"`},
		"too_long":                  {mode: "text", stdout: long + "x", code: executors.CodeResultTooLarge},
		"too_long_for_nobody":       {stdout: long + "x", note: "no result: stdout is 1048577 bytes"},
		"cut":                       {mode: "text", stdout: "a", omitted: 1, code: executors.CodeResultTooLarge},
		"cut_for_nobody":            {stdout: "a", omitted: 9, note: "no result: stdout is 10 bytes"},
		"too_long_as_json":          {mode: "text", stdout: strings.Repeat("\x01", maxResult/2), code: executors.CodeResultTooLarge},
		"file":                      {file: `{"a": 1}`, stdout: "chatter", value: `{"a":1}`},
		"file_with_text":            {mode: "text", file: " a ", value: `"a"`},
		"file_as_long_as_may_be":    {mode: "text", file: long, value: `"` + long + `"`},
		"file_too_long":             {mode: "text", file: long + "x", code: executors.CodeResultTooLarge},
		"file_too_long_as_json":     {mode: "text", file: strings.Repeat("\x01", maxResult/2), code: executors.CodeResultTooLarge},
		"file_with_nonsense":        {file: "{", code: executors.CodeResultInvalid},
		"file_of_python_is_json":    {kind: kindPython, mode: "text", file: "[1]", value: "[1]"},
		"python_prints_no_result":   {kind: kindPython, stdout: "chatter"},
		"python_prints_no_text":     {kind: kindPython, mode: "json", stdout: "chatter"},
		"bash_prints_one":           {kind: kindBash, stdout: "5", value: `"5"`},
		"a_file_that_is_no_file":    {file: "?", code: executors.CodeResultInvalid},
		"stdout_that_was_not_there": {mode: "text", stdout: "?", value: `""`, note: "stdout could not be kept"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &runner.Ended{Stdout: runner.Piece{Name: "stdout", Size: int64(len(c.stdout)), Data: []byte(c.stdout), Omitted: c.omitted}}
			if c.stdout == "?" {
				m.Stdout = runner.Piece{Name: "stdout", Problem: runner.ProblemIrreg}
			}
			if c.file != "" {
				m.Collected = collected(resultFile, c.file)
			}
			if c.file == "?" {
				m.Collected = []runner.Piece{{Name: resultFile, Problem: runner.ProblemIrreg}}
			}
			task := executors.Task{Result: c.mode}
			task.Body.Kind = c.kind
			res, err := judged(t, task, m)
			if err != nil || code(res) != c.code || string(res.Value) != c.value {
				t.Errorf("%.60s %+v %v", res.Value, res.Error, err)
			}
			if notes := strings.Join(res.Notes, "\n"); (c.note == "" && c.omitted == 0) != (notes == "") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

func TestResult_outputs(t *testing.T) {
	declared := []graph.Output{{Name: "plot", Path: "p.png"}, {Name: "log", Path: "l.txt", Optional: true}}
	there := runner.Piece{Name: "p.png", Size: 1, Data: []byte("x")}
	missing := func(name string) runner.Piece { return runner.Piece{Name: name, Problem: runner.ProblemMissing} }
	for name, c := range map[string]struct {
		pieces []runner.Piece
		want   int
		code   string
		text   string
	}{
		"all":                   {[]runner.Piece{there, {Name: "l.txt"}}, 2, "", ""},
		"without_the_optional":  {[]runner.Piece{there, missing("l.txt")}, 1, "", ""},
		"without_the_wanted":    {[]runner.Piece{missing("p.png"), there}, 0, executors.CodeOutputMissing, "left no plot (p.png)"},
		"irregular":             {[]runner.Piece{there, {Problem: runner.ProblemIrreg}}, 0, executors.CodeOutputInvalid, "output log: l.txt is a directory"},
		"a_link_out":            {[]runner.Piece{{Problem: runner.ProblemEscapes}, there}, 0, executors.CodeOutputInvalid, "leads out of the working directory"},
		"unreadable":            {[]runner.Piece{{Problem: runner.ProblemError + "permission denied"}, there}, 0, executors.CodeOutputInvalid, "can't be read: permission denied"},
		"something_and_a_value": {[]runner.Piece{there, {Problem: runner.ProblemIrreg}}, 0, executors.CodeOutputInvalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := &runner.Ended{Outputs: c.pieces, Stdout: runner.Piece{Name: "stdout", Size: 1, Data: []byte("5")}}
			res, err := judged(t, executors.Task{Outputs: declared}, m)
			if err != nil || code(res) != c.code || len(res.Outputs) != c.want || res.Error != nil && !strings.Contains(res.Error.Message, c.text) {
				t.Errorf("%+v %+v %v", res.Outputs, res.Error, err)
			}
			if o, ok := res.Outputs["log"]; ok && o.Data == nil { // an empty file is one
				t.Errorf("the empty output is %+v", o)
			}
			if (res.Value == nil) != (c.code != "") {
				t.Errorf("its value is %s", res.Value)
			}
		})
	}
	if _, err := judged(t, executors.Task{Outputs: declared}, &runner.Ended{Outputs: []runner.Piece{there}}); !errors.Is(err, executors.ErrUnknown) {
		t.Errorf("an output that wasn't told of: %v", err)
	}
}

// file is an open file with a text.
func file(t *testing.T, text string) int {
	t.Helper()
	fd, err := unix.MemfdCreate("piece", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return fd
}

func open(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// Descriptors come in the order of the pieces, may be read more than once, and are closed
// with the release.
func TestResult_descriptors(t *testing.T) {
	fds := []int{file(t, "out"), file(t, `{"v":1}`), file(t, "plot"), file(t, "too many")}
	sent := append([]int(nil), fds...)
	task := executors.Task{Attempt: "a", Outputs: []graph.Output{{Name: "small", Path: "s"}, {Name: "plot", Path: "p"}}}
	res, err := judged(t, task, &runner.Ended{
		Stdout: runner.Piece{Name: "stdout", Size: 3, FD: true}, Stderr: runner.Piece{Name: "stderr", Size: 4, Data: []byte("oops")}, Collected: []runner.Piece{{Name: resultFile, Size: 7, FD: true}},
		Outputs: []runner.Piece{{Name: "s", Size: 1, Data: []byte("s")}, {Name: "p", Size: 4, FD: true}},
	}, sent...)
	if err != nil || string(res.Value) != `{"v":1}` {
		t.Fatalf("%+v %v", res, err)
	}
	read := func(f executors.File) string {
		t.Helper()
		if f.Open == nil {
			return string(f.Data)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for range 2 {
		if got := read(*res.Stdout) + "," + read(*res.Stderr) + "," + read(res.Outputs["small"]) + "," + read(res.Outputs["plot"]); got != "out,oops,s,plot" {
			t.Errorf("they hold %s", got)
		}
	}
	if open(fds[3]) || !open(fds[0]) {
		t.Error("the one that is nobody's is open, or the others are closed")
	}
	res.Release(false)
	for i, fd := range fds[:3] {
		if open(fd) {
			t.Errorf("descriptor %d is left open", i)
		}
	}
	if _, err := res.Outputs["plot"].Open(); err == nil {
		t.Error("it can be opened after its release")
	}
}

// What can't be had at the moment is asked for again, and says nothing of the attempt.
func TestResult_that_can_not_be_had_now(t *testing.T) {
	for name, m := range map[string]*runner.Ended{
		"a_descriptor_that_did_not_come": {Stdout: runner.Piece{Name: "stdout", Size: 3, FD: true}, Stderr: runner.Piece{Name: "stderr", Size: 3, FD: true}},
		"a_lack_of_descriptors":          {Stdout: runner.Piece{Name: "stdout", Size: 3, FD: true}, Outputs: []runner.Piece{{Problem: runner.ProblemAgain + "too many open files"}}},
	} {
		fd := file(t, "out")
		res, err := judged(t, executors.Task{}, m, fd)
		if !errors.Is(err, executors.ErrUnknown) || res.Release != nil || open(fd) {
			t.Errorf("%s: %+v %v, open %v", name, res, err, open(fd))
		}
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(dir.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	_ = dir.Close()
	res, err := judged(t, executors.Task{}, &runner.Ended{Stdout: runner.Piece{Name: "stdout", Size: 3, FD: true}}, fd)
	if !errors.Is(err, executors.ErrUnknown) {
		t.Errorf("bytes that can't be read: %v", err)
	}
	res.Release(false)
}
