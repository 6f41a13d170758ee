package executortest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// text reads a file that was kept, twice, since a store may have to try again.
func text(t *testing.T, f *executors.File) string {
	t.Helper()
	if f == nil {
		return ""
	}
	if f.Data != nil || f.Open == nil {
		return string(f.Data)
	}
	var got [2]string
	for i := range got {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		got[i] = string(b)
	}
	if got[0] != got[1] || int64(len(got[0])) != f.Size {
		t.Errorf("%s: %d bytes, then %d, and its size is %d", f.Name, len(got[0]), len(got[1]), f.Size)
	}
	return got[0]
}

func (s *suite) resultStdout(t *testing.T) {
	e := s.place(t).Open(t)
	if r := s.runAt(t, e, Bash("echo '  <b> & ü '; echo")); string(r.Value) != `"<b> & ü"` {
		t.Errorf("value %s", r.Value)
	}
	if r := s.runAt(t, e, Bash("echo; echo ' '")); r.Value != nil {
		t.Errorf("value of nothing: %s", r.Value)
	}
}

func (s *suite) resultFile(t *testing.T) {
	r := s.run(t, Bash(`echo noise; echo '{ "a": [1, 2.50] }' > $LATTICED_RESULT`))
	if string(r.Value) != `{"a":[1,2.50]}` {
		t.Errorf("value %s", r.Value)
	}
}

func (s *suite) resultModes(t *testing.T) {
	e := s.place(t).Open(t)
	for _, c := range []struct{ mode, script, want string }{
		{"json", `echo ' [1, "a"] '`, `[1,"a"]`},
		{"text", `echo ' [1] '`, `"[1]"`},
		{"text", `:`, `""`},
		{"lines", `printf 'a\n b\r\n\nc\n'`, `["a"," b","","c"]`},
		{"lines", `:`, `[]`},
		{"text", `echo plain > $LATTICED_RESULT`, `"plain"`},
	} {
		task := Bash(c.script)
		task.Result = c.mode
		if r := s.runAt(t, e, task); string(r.Value) != c.want {
			t.Errorf("%s of %s: %s (%+v), want %s", c.mode, c.script, r.Value, r.Error, c.want)
		}
	}
}

func (s *suite) resultInvalid(t *testing.T) {
	e := s.place(t).Open(t)
	for _, c := range []struct{ mode, script string }{
		{"", `echo '{"a": }' > $LATTICED_RESULT`},
		{"", `echo 'NaN' > $LATTICED_RESULT`},
		{"", `echo '{"a": 1, "a": 2}' > $LATTICED_RESULT`},
		{"", `: > $LATTICED_RESULT`},
		{"", `mkdir $LATTICED_RESULT`},
		{"json", `echo no`},
		{"json", `:`},
	} {
		task := Bash(c.script)
		task.Result = c.mode
		r := s.runAt(t, e, task)
		if r.Error == nil || r.Error.Code != executors.CodeResultInvalid || r.Value != nil {
			t.Errorf("%s: %+v, value %s", c.script, r.Error, r.Value)
		}
	}
}

func (s *suite) resultTooLarge(t *testing.T) {
	e := s.place(t).Open(t)
	wantCode(t, s.runAt(t, e, Bash(`{ printf '"'; head -c 1100000 /dev/zero | tr '\0' x; printf '"'; } > $LATTICED_RESULT`)),
		executors.CodeResultTooLarge)
	task := Bash(`head -c 1100000 /dev/zero | tr '\0' x`)
	task.Result = "text"
	wantCode(t, s.runAt(t, e, task), executors.CodeResultTooLarge)
}

func (s *suite) outputs(t *testing.T) {
	task := Bash(`mkdir sub; echo one > a.txt; head -c 300000 /dev/zero > sub/b.bin; : > empty; ln -s a.txt link`)
	task.Outputs = []graph.Output{
		{Name: "a", Path: "a.txt"},
		{Name: "b", Path: "sub/b.bin"},
		{Name: "none", Path: "not/there", Optional: true},
		{Name: "empty", Path: "empty"},
		{Name: "link", Path: "link"},
	}
	r := s.run(t, task)
	wantCode(t, r, "")
	if len(r.Outputs) != 4 {
		t.Fatalf("outputs: %v", r.Outputs)
	}
	a, b, empty, link := r.Outputs["a"], r.Outputs["b"], r.Outputs["empty"], r.Outputs["link"]
	if text(t, &a) != "one\n" || len(text(t, &b)) != 300000 || text(t, &empty) != "" || text(t, &link) != "one\n" {
		t.Errorf("outputs: %q, %d bytes, %q, %q", text(t, &a), b.Size, text(t, &empty), text(t, &link))
	}
}

func (s *suite) outputMissing(t *testing.T) {
	e := s.place(t).Open(t)
	task := Bash("echo hello")
	task.Outputs = []graph.Output{{Name: "plot", Path: "plot.svg"}}
	r := s.runAt(t, e, task)
	wantCode(t, r, executors.CodeOutputMissing)
	if !strings.Contains(r.Error.Message, "plot (plot.svg)") || r.Value != nil {
		t.Errorf("message %q, value %s", r.Error.Message, r.Value)
	}
	failed := Bash("exit 1")
	failed.Outputs = task.Outputs
	wantCode(t, s.runAt(t, e, failed), executors.CodeExit) // the cause, not its consequence
}

func (s *suite) outputDirectory(t *testing.T) {
	task := Bash("mkdir d; mkfifo f")
	for _, path := range []string{"d", "f"} {
		task.Attempt = newID()
		task.Outputs = []graph.Output{{Name: "it", Path: path}}
		wantCode(t, s.run(t, task), executors.CodeOutputInvalid)
	}
}

func (s *suite) outputEscapes(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := s.place(t).Open(t)
	task := Bash("ln -s " + secret + " out; mkdir d; ln -s " + filepath.Dir(secret) + " d/e")
	for _, path := range []string{"out", "d/e/secret"} {
		task.Attempt = newID()
		task.Outputs = []graph.Output{{Name: "it", Path: path}}
		wantCode(t, s.runAt(t, e, task), executors.CodeOutputInvalid)
	}
	task.Attempt = newID()
	task.Outputs = []graph.Output{{Name: "it", Path: "../" + filepath.Base(secret)}}
	if r := s.begin(t, e, task).wait(); !executors.IsPermanent(r.err) {
		t.Errorf("a path that leads out: %v", r.err)
	}
}

func (s *suite) files(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, []byte(strings.Repeat("0123456789", 50000)), 0o644); err != nil {
		t.Fatal(err)
	}
	task := Bash(`
cat lib/a.txt; ./tool.sh; wc -c < in/make/big.bin; md5sum < held | cut -c1-4
stat -c %a lib/a.txt in/make/big.bin
pwd | grep -q "$LATTICED_ATTEMPT"
`)
	task.Files = []executors.File{
		{Name: "lib/a.txt", Size: 6, Data: []byte("hello\n")},
		{Name: "tool.sh", Size: 22, Data: []byte("#!/bin/sh\necho a tool\n")},
		{Name: "in/make/big.bin", Size: 500000, ReadOnly: true, Open: func() (*os.File, error) { return os.Open(big) }},
		{Name: "held", Size: 1 << 20, Data: make([]byte, 1<<20)},
	}
	r := s.run(t, task)
	wantCode(t, r, "")
	if got, want := text(t, r.Stdout), "hello\na tool\n500000\nb6d8\n644\n444\n"; got != want {
		t.Errorf("it saw %q, want %q", got, want)
	}
}

func (s *suite) environment(t *testing.T) {
	t.Setenv("OF_THE_DAEMON", "1")
	task := Argv("env")
	task.Env = map[string]string{"MINE": "a b\n'c'", "LANG": "de_DE.UTF-8"}
	task.Unset = []string{"TMPDIR", "LATTICED_ATTEMPT"}
	out := "\n" + text(t, s.run(t, task).Stdout)
	for _, want := range []string{
		"\nPATH=/usr/local/bin:/usr/bin:/bin\n", "\nHOME=/", "\nUSER=", "\nLOGNAME=", "\nSHELL=/", "\nLANG=de_DE.UTF-8\n",
		"\nMINE=a b\n'c'\n", "\nLATTICED_DISPATCH_ID=" + task.Dispatch + "\n", "\nLATTICED_ELECTRON=it\n",
		"\nLATTICED_ATTEMPT=" + task.Attempt + "\n", "\nLATTICED_RESULT=/",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the environment lacks %q:%s", want, out)
		}
	}
	for _, not := range []string{"OF_THE_DAEMON", "TMPDIR", "LATTICED_ARGS", "LANG=C"} {
		if strings.Contains(out, "\n"+not) {
			t.Errorf("the environment has %s:%s", not, out)
		}
	}
}

func (s *suite) args(t *testing.T) {
	task := Bash(`cat "$LATTICED_ARGS" > $LATTICED_RESULT`)
	task.Args = map[string]any{"n": int64(3), "s": strings.Repeat("x", 200000), "l": []any{nil, true, 1.5}}
	r := s.run(t, task)
	if want := `{"l":[null,true,1.5],"n":3,"s":"` + strings.Repeat("x", 200000) + `"}`; string(r.Value) != want {
		t.Errorf("args: %.80s … (%+v)", r.Value, r.Error)
	}
}

func (s *suite) stdin(t *testing.T) {
	r := s.run(t, Bash("cat | wc -c; umask"))
	if string(r.Value) != `"0\n0022"` {
		t.Errorf("stdin and umask: %s", r.Value)
	}
}

func (s *suite) logs(t *testing.T) {
	r := s.run(t, Bash("echo out; echo err >&2; exit 1"))
	if text(t, r.Stdout) != "out\n" || text(t, r.Stderr) != "err\n" {
		t.Errorf("stdout %q, stderr %q", text(t, r.Stdout), text(t, r.Stderr))
	}
	r = s.run(t, Bash("seq 200000; echo done >&2"))
	if got := text(t, r.Stdout); !strings.HasSuffix(got, "\n199999\n200000\n") || len(got) != 1288895 {
		t.Errorf("a longer stdout has %d bytes", len(got))
	}
}

func (s *suite) liveLog(t *testing.T) {
	e := s.place(t).Open(t)
	logger, ok := e.(executors.Logger)
	if !ok {
		return // not promised
	}
	if _, err := logger.Log(t.Context(), newID(), "stdout"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("log of an unknown attempt: %v", err)
	}
	on := filepath.Join(t.TempDir(), "on")
	task := Bash("echo first; while ! [ -e " + on + " ]; do sleep 0.02; done; echo second")
	f := s.begin(t, e, task)
	var log io.ReadSeekCloser
	eventually(t, "the log is there", func() bool {
		var err error
		log, err = logger.Log(t.Context(), task.Attempt, "stdout")
		return err == nil
	})
	defer log.Close()
	var got string
	read := func() string {
		b, err := io.ReadAll(log)
		if err != nil {
			t.Fatal(err)
		}
		got += string(b)
		return got
	}
	eventually(t, "the first line is there", func() bool { return read() == "first\n" })
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := f.wait(); r.err != nil || read() != "first\nsecond\n" {
		t.Errorf("log %q, error %v", got, r.err)
	}
}

func (s *suite) release(t *testing.T) {
	e := s.place(t).Open(t)
	for _, keep := range []bool{false, true} {
		r := s.begin(t, e, Bash("echo x > left; exit 1")).wait()
		if r.err != nil || r.WorkDir == "" || !exists(r.WorkDir) {
			t.Fatalf("directory %q, error %v", r.WorkDir, r.err)
		}
		r.Release(keep)
		if keep {
			// It is there for a while; what would remove it had its chance with the next attempt.
			s.runAt(t, e, Argv("true"))
			if !exists(filepath.Join(r.WorkDir, "left")) {
				t.Error("the kept directory is gone")
			}
			continue
		}
		eventually(t, "the directory is gone", func() bool { return !exists(r.WorkDir) })
	}
}

func (s *suite) check(t *testing.T) {
	if c, ok := s.place(t).Open(t).(executors.Checker); ok {
		if err := c.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
