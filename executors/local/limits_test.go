package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
)

func smallLogs(o *Options) { o.Runner.LogKeep = 64 << 10 }

func TestLogs_keep_head_and_tail(t *testing.T) {
	p := newPlace(t, smallLogs)
	e := p.start()
	// Long enough for the runner to look at it while it runs: the middle is freed then.
	tk := task(kindBash, "seq 1000000 1400000; sleep 1.2; echo the end; echo short >&2")
	r := begin(t, e, tk)
	path := filepath.Join(p.dir, "work", tk.Attempt, ".stdout")
	eventually(t, "the middle is cut out while it runs", func() bool {
		var st unix.Stat_t
		return unix.Stat(path, &st) == nil && st.Size == 400001*8 && st.Blocks*512 < 1<<20
	})
	live, err := e.Log(t.Context(), tk.Attempt, "stdout")
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if b, err := io.ReadAll(live); err != nil || bytes.IndexByte(b, 0) >= 0 || !bytes.HasPrefix(b, []byte("1000000\n")) ||
		!bytes.HasSuffix(b, []byte("1400000\n")) || !bytes.Contains(b, []byte("\n[latticed: ")) {
		t.Errorf("read while it runs: %d bytes, %v", len(b), err)
	}
	res, err := r.wait()
	if err != nil || res.Error != nil {
		t.Fatalf("%v, %+v", err, res.Error)
	}
	size := 400001*8 + len("the end\n")
	left := size - 2*64<<10
	line := fmt.Sprintf("\n[latticed: %d bytes left out here]\n", left)
	got := read(t, res.Stdout)
	if len(got) != 128<<10+len(line) || !strings.HasPrefix(got, "1000000\n1000001\n") ||
		!strings.HasSuffix(got, "1400000\nthe end\n") || got[64<<10:64<<10+len(line)] != line {
		t.Errorf("%d bytes: %.20q … %q", len(got), got, got[len(got)-20:])
	}
	if notes := strings.Join(res.Notes, ";"); !strings.Contains(notes, fmt.Sprintf("stdout cut: %d bytes", left)) {
		t.Errorf("notes %q", notes)
	}
	if res.Value != nil || read(t, res.Stderr) != "short\n" {
		t.Errorf("value %.20s, stderr %q", res.Value, read(t, res.Stderr))
	}
	res.Release(false)
}

func read(t *testing.T, f *executors.File) string {
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

// A log that is read while it is written must never show another attempt's output.
func TestLogs_once_opened_are_not_used_again(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	first := task(kindBash, "echo first; sleep 0.2")
	r := begin(t, e, first)
	var log io.ReadSeekCloser
	eventually(t, "the log is there", func() (ok bool) {
		var err error
		log, err = e.Log(t.Context(), first.Attempt, "stdout")
		return err == nil
	})
	defer log.Close()
	res, err := r.wait()
	if err != nil {
		t.Fatal(err)
	}
	res.Release(false)
	for range 3 {
		res := mustRun(t, e, task(kindBash, "echo another"))
		res.Release(false)
	}
	b, err := io.ReadAll(log)
	if err != nil || string(b) != "first\n" {
		t.Errorf("the old log holds %q, %v", b, err)
	}
}

// A directory that is used again shows nothing of the attempt before.
func TestDirectories_used_again_are_clean(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	for i := range 20 {
		tk := task(kindBash, "ls -A | sort | tr '\n' ' '; cat .stdout | wc -c > n; echo out$RANDOM; echo err >&2; mkdir -p a/b; touch a/b/c; chmod 0 a/b; echo 1 > $LATTICED_RESULT")
		if i%3 == 1 {
			tk.Body.Bash = "chmod 0500 .; ln .stdout " + filepath.Join(p.dir, "link") + fmt.Sprint(i)
		}
		res := mustRun(t, e, tk)
		if i%3 != 1 && !strings.HasPrefix(read(t, res.Stdout), ".script.sh .stderr .stdout out") {
			t.Errorf("attempt %d saw %q", i, read(t, res.Stdout))
		}
		res.Release(false)
	}
	eventually(t, "all directories are gone", func() bool { return len(attemptDirs(t, p)) == 0 })
}

// An attempt may remove or replace the files of its logs: what it wrote is kept, nobody
// waits for a fifo, and the attempt after it sees nothing of that.
func TestLogs_survive_their_names(t *testing.T) {
	e := newPlace(t).start()
	for name, trick := range map[string]string{
		"removed":  "rm .stdout",
		"all_gone": "find . -mindepth 1 -delete",
		"fifo":     "rm .stdout; mkfifo .stdout",
		"replaced": "mv .stdout old; echo forged > .stdout",
		"a_link":   "ln -sf /etc/passwd .stdout",
	} {
		tk := task(kindBash, "echo before; "+trick+"; echo after")
		res := mustRun(t, e, tk)
		if res.Error != nil || read(t, res.Stdout) != "before\nafter\n" {
			t.Errorf("%s: stdout %q, %+v", name, read(t, res.Stdout), res.Error)
		}
		if f, err := e.Log(t.Context(), tk.Attempt, "stdout"); err == nil { // with whatever lies there, and at once
			_ = f.Close()
		}
		res.Release(false)
		if res := mustRun(t, e, task(kindBash, "echo next")); read(t, res.Stdout) != "next\n" {
			t.Errorf("after %s: stdout %q", name, read(t, res.Stdout))
		}
	}
}

// mountWork gives the runner a file system of its own in place of its working directory,
// in a mount namespace of its own.
func (p *place) mountWork(mount string) {
	work := filepath.Join(p.dir, "work")
	if err := os.Mkdir(work, 0o711); err != nil {
		p.t.Fatal(err)
	}
	p.o.Binary = filepath.Join(p.dir, "runner.sh")
	script := "#!/bin/sh\nexec unshare -rm sh -c 'mount " + mount + " " + work + " && exec " + os.Args[0] + " \"$@\"' sh \"$@\"\n"
	if err := os.WriteFile(p.o.Binary, []byte(script), 0o755); err != nil {
		p.t.Fatal(err)
	}
	p.o.Runner.NoCgroup = true
}

// Nothing can be cut out of the middle of a file on ramfs.
func TestLogs_that_can_not_be_cut_have_a_limit(t *testing.T) {
	p := newPlace(t, smallLogs, func(o *Options) { o.Runner.LogMax = 4 << 20 })
	p.mountWork("-t ramfs ramfs")
	res := mustRun(t, p.start(), task(kindBash, "head -c 5000000 /dev/zero; sleep 60"))
	if code(res) != executors.CodeLogLimit || res.Stdout == nil || res.Stdout.Size > 200<<10 {
		t.Errorf("%+v, stdout %+v", res.Error, res.Stdout)
	}
	res.Release(false)
}

// What an attempt has mounted in its directory is not removed with it.
func TestMounts_that_are_left_keep_their_files(t *testing.T) {
	p := newPlace(t)
	p.mountWork("-t tmpfs tmpfs")
	e := p.start()
	data := t.TempDir()
	precious := filepath.Join(data, "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		res := mustRun(t, e, task(kindBash, "mkdir -p a/mnt; mount --bind "+data+" a/mnt; cat a/mnt/precious"))
		if res.Error != nil || string(res.Value) != `"x"` {
			t.Fatalf("%s, %+v", res.Value, res.Error)
		}
		res.Release(false)
	}
	eventually(t, "the directories are gone", func() bool {
		res := mustRun(t, e, task(kindBash, "ls .."))
		res.Release(false)
		return string(res.Value) == strconv.Quote(filepath.Base(res.WorkDir))
	})
	if !exists(precious) {
		t.Error("the file is gone")
	}
}

func TestDiskFull_is_tried_again(t *testing.T) {
	p := newPlace(t)
	p.mountWork("-t tmpfs -o size=2m tmpfs")
	e := p.start()
	dir := t.TempDir()
	mark, full, on := filepath.Join(dir, "mark"), filepath.Join(dir, "full"), filepath.Join(dir, "on")
	hog := begin(t, e, task(kindBash, "dd if=/dev/zero of=hog bs=64k count=64 2>/dev/null || true; touch "+full+"; until [ -e "+on+" ]; do sleep 0.02; done"))
	eventually(t, "the disk is full", func() bool { return exists(full) })
	tk := task(kindBash, "echo x >> "+mark)
	tk.Files = []executors.File{{Name: "data", Data: make([]byte, 100<<10)}}
	_, err := e.Run(t.Context(), tk)
	f, ok := errors.AsType[*executors.Failure](err)
	if !ok || f.Code != executors.CodeDiskFull || executors.IsPermanent(err) || !strings.Contains(err.Error(), "not started") {
		t.Fatalf("error %v", err)
	}
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	res, err := hog.wait()
	if err != nil {
		t.Fatal(err)
	}
	res.Release(false) // the hog's files go with it
	tk.Handle = e.Handle(tk.Attempt)
	eventually(t, "there is room again", func() bool {
		res, err := e.Run(t.Context(), tk)
		if err == nil {
			res.Release(false)
		}
		return err == nil
	})
	if b, _ := os.ReadFile(mark); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
}

func TestRunner_is_small(t *testing.T) {
	p := newPlace(t)
	e := p.start()
	var all []*running
	for range 50 {
		all = append(all, begin(t, e, task(kindRun, "sleep", "1")))
	}
	for range 300 {
		res := mustRun(t, e, task(kindRun, "true"))
		res.Release(false)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.runnerPID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kb); n == 1 {
			t.Logf("anonymous memory: %d kB", kb)
			if kb > 12<<10 && !raceDetector {
				t.Errorf("the runner holds %d kB of anonymous memory", kb)
			}
		}
	}
	for _, r := range all {
		if res, err := r.wait(); err != nil || res.Error != nil {
			t.Errorf("%v %+v", err, res.Error)
		}
	}
}
