package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/store"
)

// says runs a command of the CLI against the daemon, which must succeed.
func (v *victim) says(args ...string) string {
	v.t.Helper()
	var out, errs bytes.Buffer
	if code := run(v.t.Context(), append(args, "--server", filepath.Join(v.dir, "s")), nil, &out, &errs); code != 0 {
		v.t.Fatalf("%v: status %d, %s%s", args, code, out.String(), errs.String())
	}
	return out.String()
}

const noted = `{"lattice": "noted", "inputs": {"path": {"type": "string", "default": "none"}},
	"electrons": {"e": {"bash": "echo \"$P\" >> %s; for i in $(seq 600); do [ -e %s ] && exit 0; sleep 0.1; done", "env": {"P": "${{ inputs.path }}"}}}}`

// The promise of a backup: what is restored stands still until somebody has looked, and
// then goes on exactly where the backup stood.
func TestRestore_goes_on_where_the_backup_stood(t *testing.T) {
	v := newVictim(t)
	v.args = []string{"--parallel", "2"}
	notes, gate := filepath.Join(v.dir, "notes"), filepath.Join(v.dir, "gate")
	incoming := v.folder("in")
	v.start()
	document := filepath.Join(v.dir, "noted.json")
	write(t, document, fmt.Sprintf(noted, notes, gate))
	v.says("store", document)
	put := func(name string) {
		write(t, filepath.Join(incoming, name), name)
	}
	v.says("trigger", "add", "directory", "scans", "--lattice", "noted", "--dir-path", incoming, "--settle", "100ms", "-m", "path=event.path", "--overlap", "allow")
	write(t, gate, "")
	put("before")
	eventually(t, "the first file is worked on", func() bool { return strings.Contains(v.says("list"), "completed") })
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	for range 3 { // two run, one waits for a slot
		v.says("dispatch", "noted", "-i", "path=waiting")
	}
	eventually(t, "two run", func() bool { return v.metric("latticed_attempts_running", `executor="local"`) == 2 })

	backup := filepath.Join(v.dir, "backup")
	v.says("backup", "--out", backup)
	put("after") // the backup knows nothing of it
	eventually(t, "the daemon sees it", func() bool { return strings.Contains(v.says("list"), filepath.Join(incoming, "after")) })
	v.kill()
	for _, pid := range v.runners() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err := os.Rename(v.state(), v.state()+".lost"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(notes); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"restore", backup, "--state-dir", v.state()}, nil, &out, &out); code != 0 {
		t.Fatalf("status %d: %s", code, out.String())
	}
	v.start()
	eventually(t, "it says what it would fire", func() bool {
		said := v.says("hold")
		return strings.Contains(said, "3 dispatches would go on") && strings.Contains(said, "scans    1        1")
	})
	v.kill() // held is held
	v.start()
	if said := v.says("list"); strings.Count(said, "(hold)") != 3 {
		t.Errorf("%s", said)
	}
	if exists(notes) {
		t.Error("something has run while everything was held")
	}
	write(t, gate, "")
	v.says("hold", "--end")
	eventually(t, "all have ended", func() bool {
		said := v.says("list")
		return strings.Count(said, "completed") == 5 && !strings.Contains(said, "running")
	})
	text, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	ran := strings.Fields(string(text))
	slices.Sort(ran)
	if want := []string{filepath.Join(incoming, "after"), "waiting", "waiting", "waiting"}; !slices.Equal(ran, want) {
		t.Errorf("%v ran after the hold, want %v", ran, want)
	}
	put("later")
	eventually(t, "it sees what comes", func() bool { return strings.Contains(v.says("list"), filepath.Join(incoming, "later")) })
	v.rows(map[string]int{
		"SELECT count(*) FROM attempts WHERE status = 'lost'":                   2, // they ran when the backup was made
		"SELECT count(*) FROM events WHERE CAST(path AS TEXT) LIKE '%before'":   1,
		"SELECT count(*) FROM dispatches WHERE inputs LIKE '%before%'":          1,
		"SELECT count(*) FROM events WHERE state = 'held' OR state = 'pending'": 0,
	})
	v.stop()
}

// killed runs a command of the binary and kills it after a while; it tells whether the
// command was done before.
func (v *victim) killed(after time.Duration, args ...string) (done bool) {
	v.t.Helper()
	cmd := exec.Command(v.binary, args...)
	cmd.Env = append(os.Environ(), "LATTICED_SOCKET="+filepath.Join(v.dir, "s"))
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	return cmd.Wait() == nil
}

func TestBackup_killed_at_any_moment_leaves_nothing_half(t *testing.T) {
	v := newVictim(t)
	v.start()
	v.storeLattice("big", map[string]any{}, map[string]any{
		"bash": "for i in $(seq 40); do head -c 300000 /dev/urandom > $i; done", "outputs": outputs(40),
	})
	v.says("dispatch", "big", "--wait")
	whole := 0
	for i := range 12 {
		out := filepath.Join(v.dir, fmt.Sprint("backup", i))
		if v.killed(time.Duration(5+rand.IntN(150))*time.Millisecond, "backup", "--out", out) {
			whole++
		}
		_, err := os.Stat(out)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if _, err := store.Verify(t.Context(), out); err != nil {
			t.Errorf("%s has its name and is not whole: %v", out, err)
		}
	}
	out := filepath.Join(v.dir, "last")
	if err := os.CopyFS(out+".partial", os.DirFS(filepath.Join(v.dir, "state", "assets"))); err == nil {
		if code := run(t.Context(), []string{"backup", "--out", out, "--server", filepath.Join(v.dir, "s")}, nil, &bytes.Buffer{}, &bytes.Buffer{}); code != exitUsage {
			t.Error("it has removed a folder that is none of its own")
		}
		_ = os.RemoveAll(out + ".partial")
	}
	v.says("backup", "--out", out)
	eventually(t, "the daemon has cleaned up", func() bool {
		left, _ := filepath.Glob(filepath.Join(v.state(), "backup-*"))
		return len(left) == 0
	})
	for i := range 12 {
		to := filepath.Join(v.dir, "new")
		v.killed(time.Duration(1+rand.IntN(100))*time.Millisecond, "restore", out, "--state-dir", to)
		if !exists(to) {
			continue
		}
		s, err := store.Open(t.Context(), to, store.Options{})
		var half *store.RestoringError
		switch {
		case errors.As(err, &half):
		case err != nil:
			t.Fatal(err)
		default: // it was done
			_, held, err := s.Held(t.Context())
			if err := errors.Join(err, s.Close()); err != nil {
				t.Error(err)
			}
			if n := len(mustGlob(t, filepath.Join(to, "assets", "*", "*"))); !held || n != 40 {
				t.Errorf("round %d: held is %v with %d files", i, held, n)
			}
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
		}
	}
	to := filepath.Join(v.dir, "new")
	if _, err := store.Restore(t.Context(), out, to); err != nil {
		t.Error(err)
	}
	t.Logf("%d of 12 backups were done before they were killed", whole)
	v.stop()
}

func outputs(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprint("o", i+1)] = fmt.Sprint(i + 1)
	}
	return all
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRestore_says_what_is_wrong_with_the_words(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"restore", dir}, exitUsage, "--state-dir is missing"},
		{[]string{"restore", dir, "--verify", "--state-dir", dir}, exitUsage, "restores nothing"},
		{[]string{"restore", dir, "--verify"}, exitRefused, "manifest.json is missing"},
		{[]string{"backup"}, exitUsage, "--out is missing"},
		{[]string{"backup", "--out", dir}, exitUsage, "there already"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), test.args, nil, &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("%v: status %d, %s", test.args, code, out.String())
		}
	}
}
