package runner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLayOut(t *testing.T) {
	keepsNoDescriptor(t)
	long := strings.Repeat("n", 300)
	for name, c := range map[string]struct {
		files []Piece
		code  string
	}{
		"plain":                   {[]Piece{{Name: "a", Data: []byte("1")}, {Name: "sub/deep/b", Data: []byte("2")}, {Name: "sub/c"}}, ""},
		"modes":                   {[]Piece{{Name: "a", Mode: 0o755}, {Name: "b", Mode: 0o4600}, {Name: "c", Mode: 0o644}}, ""},
		"outside":                 {[]Piece{{Name: "../a"}}, CodeInvalid},
		"outside_after_all":       {[]Piece{{Name: "sub/../../a"}}, CodeInvalid},
		"absolute":                {[]Piece{{Name: "/tmp/a"}}, CodeInvalid},
		"without_a_name":          {[]Piece{{Name: ""}}, CodeInvalid},
		"twice":                   {[]Piece{{Name: "a"}, {Name: "./a"}}, CodeInvalid},
		"over_a_log":              {[]Piece{{Name: stdoutName}}, CodeInvalid},
		"below_a_file":            {[]Piece{{Name: "a"}, {Name: "a/b"}}, CodeInvalid},
		"in_place_of_a_folder":    {[]Piece{{Name: "a/b"}, {Name: "a"}}, CodeInvalid},
		"too_long":                {[]Piece{{Name: long}}, CodeInvalid},
		"too_long_folder":         {[]Piece{{Name: long + "/a"}}, CodeInvalid},
		"bytes_that_did_not_come": {[]Piece{{Name: "a", FD: true}}, CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempt("a", filepath.Join(t.TempDir(), "a"))
			if err := makeRoom(a); err != nil {
				t.Fatal(err)
			}
			defer closeLogs(a)
			err := layOut(a.dir, c.files, nil)
			if c.code != "" {
				if r := startRefusal(err, "work"); err == nil || r.code != c.code || !r.permanent || strings.Contains(r.Error(), long) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range c.files {
				info, err := os.Stat(filepath.Join(a.dir, f.Name))
				want := os.FileMode(0o644)
				if f.Mode != 0 {
					want = os.FileMode(f.Mode) & 0o777
				}
				if err != nil || info.Mode() != want || info.Size() != int64(len(f.Data)) {
					t.Errorf("%s: %v %v", f.Name, info, err)
				}
			}
		})
	}
}

// The sender may read its file at the same time, and give it to others.
func TestLayOut_leaves_the_offset_of_a_descriptor(t *testing.T) {
	keepsNoDescriptor(t)
	dir := t.TempDir()
	text := string(letters(200_000))
	write(t, dir+"/from", text)
	write(t, dir+"/other", "other")
	var fds []int
	for _, name := range []string{"/from", "/other"} {
		fd, err := unix.Open(dir+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	defer CloseAll(fds)
	if _, err := unix.Seek(fds[0], 5, 0); err != nil {
		t.Fatal(err)
	}
	if err := layOut(dir, []Piece{{Name: "a", FD: true}, {Name: "b", Data: []byte("b")}, {Name: "c", FD: true}}, fds); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": text, "b": "b", "c": "other"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if at, err := unix.Seek(fds[0], 0, 1); at != 5 || err != nil {
		t.Errorf("its offset is %d, %v", at, err)
	}
}

// Left by a runner that died before it started anything, or by somebody else.
func TestMakeDir_begins_anew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	write(t, dir+"/old/x", "old")
	if err := makeDir(dir); err != nil {
		t.Fatal(err)
	}
	if names, err := list(dir); err != nil || len(names) != 0 {
		t.Errorf("left: %v %v", names, err)
	}
	if err := makeDir(dir + "/none/a"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
}

func TestStartRefusal(t *testing.T) {
	for err, want := range map[error]string{unix.ENOSPC: CodeDiskFull, unix.EDQUOT: CodeDiskFull, unix.EIO: CodeStart, unix.EMFILE: CodeStart} {
		if r := startRefusal(&os.PathError{Op: "mkdir", Path: "x", Err: err}, "work"); r.code != want || r.permanent || !errors.Is(r.err, err) {
			t.Errorf("%v: %+v", err, r)
		}
	}
	if r := startRefusal(refuse(CodeInvalid, true, "no"), "work"); r.code != CodeInvalid || !r.permanent {
		t.Errorf("%+v", r)
	}
}

// What exec says of a program, in words and for how long.
func TestExecRefusal(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/interpreter", "#!/nonexistent/interpreter\n")
	write(t, dir+"/nonsense", "\x00\x01\x02")
	write(t, dir+"/plain", "#!/bin/sh\n")
	write(t, dir+"/good", "#!/bin/sh\n")
	for _, name := range []string{"interpreter", "nonsense", "good"} {
		if err := os.Chmod(dir+"/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("x", 4<<20)
	for path, want := range map[string]struct{ code, text string }{
		"/interpreter": {CodeCommandNotFound, "the interpreter named in its first line does not exist"},
		"/none":        {CodeCommandNotFound, "does not exist"},
		"/plain/x":     {CodeCommandNotFound, "does not exist"},
		"/plain":       {CodeNotExecutable, "can't be executed by this user"},
		"":             {CodeNotExecutable, "can't be executed by this user"},
		"/nonsense":    {CodeNotExecutable, "is no program"},
		"/good":        {CodeValueTooLong, "$LATTICED_ARGS"},
	} {
		argv := []string{dir + path}
		if path == "/good" {
			argv = append(argv, long)
		}
		_, err := syscall.ForkExec(dir+path, argv, &syscall.ProcAttr{})
		if err == nil {
			t.Fatalf("%s was started", path)
		}
		if r := execRefusal(dir+path, argv, err); r.code != want.code || !r.permanent || !strings.Contains(r.Error(), want.text) {
			t.Errorf("%s: %+v", path, r)
		}
	}
	for _, err := range []error{unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ETXTBSY} {
		if r := execRefusal("x", []string{"x"}, err); r.code != CodeStart || r.permanent {
			t.Errorf("%v: %+v", err, r)
		}
	}
}
