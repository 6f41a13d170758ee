package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latticed/latticed/api"
)

// doctor asks for all checks.
func (v *victim) doctor() (code int, said string) {
	v.t.Helper()
	var out bytes.Buffer
	code = run(v.t.Context(), []string{"doctor", "--server", filepath.Join(v.dir, "s"), "--state-dir", v.state()}, nil, &out, &out)
	return code, out.String()
}

func TestDoctor_names_what_is_wrong_and_what_to_do(t *testing.T) {
	v := newVictim(t)
	watched := v.folder("watched")
	v.start()
	v.storeLattice("one", map[string]any{}, map[string]any{"run": []string{"true"}})
	v.add(map[string]any{"name": "scans", "kind": "directory", "lattice": "one", "dir_path": watched})
	code, said := v.doctor()
	if code != exitOK || strings.Contains(said, "wrong") {
		t.Fatalf("status %d when all is well:\n%s", code, said)
	}
	for _, name := range []string{"doors", "certificate", "tokens", "clock", "disk", "incoming", "permissions", "database", "runner", "inotify", "mounts", "triggers", "hold"} {
		if !strings.Contains(said, " "+name+" ") {
			t.Errorf("%s is not looked at:\n%s", name, said)
		}
	}
	wants := func(t *testing.T, wants ...string) {
		t.Helper()
		var code int
		var said string
		eventually(t, strings.Join(wants, ", "), func() bool {
			code, said = v.doctor()
			for _, want := range wants {
				if !strings.Contains(said, want) {
					return false
				}
			}
			return true
		})
		if code != exitFailed {
			t.Errorf("status %d:\n%s", code, said)
		}
	}
	t.Run("a watched folder that is gone", func(t *testing.T) {
		if err := os.Remove(watched); err != nil {
			t.Fatal(err)
		}
		wants(t, "wrong  mounts", "watched (trigger scans)", "wrong  triggers")
		v.folder("watched")
		eventually(t, "it is well again", func() bool { code, _ := v.doctor(); return code == exitOK })
	})
	t.Run("a socket that everybody may use", func(t *testing.T) {
		if err := os.Chmod(filepath.Join(v.dir, "s"), 0o777); err != nil {
			t.Fatal(err)
		}
		wants(t, "wrong  doors", "chmod 0660")
		if err := os.Chmod(filepath.Join(v.dir, "s"), 0o660); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a database that others may read", func(t *testing.T) {
		file := filepath.Join(v.state(), "latticed.db")
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		wants(t, "wrong  permissions", "chmod 0600")
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("no daemon", func(t *testing.T) {
		v.stop()
		wants(t, "wrong  doors", "the daemon is not running", "ok     permissions", "ok     disk")
	})
}

func TestDoctor_a_runner_that_is_not_there(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	v := newVictim(t)
	v.args = []string{"--config", filepath.Join(v.dir, "c.toml")}
	write(t, filepath.Join(v.dir, "c.toml"), "[paths]\nrunner = '"+filepath.Join(v.dir, me.Username+".sock")+"'\n")
	v.start()
	if code, said := v.doctor(); code != exitFailed || !strings.Contains(said, "wrong  runner") {
		t.Errorf("status %d:\n%s", code, said)
	}
	v.stop()
}

func TestDoctor_checks_of_the_machine(t *testing.T) {
	all := func(int64) int64 { return 0 }
	t.Run("a disk that is full", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, dir, "-t", "tmpfs", "-o", "size=1m", "lab")
		_ = os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<20), 0o600)
		if c := checkDisk(dir, (&Limits{}).least); c.Verdict != api.VerdictWrong || c.Remedy == "" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("a disk without inodes", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, dir, "-t", "tmpfs", "-o", "size=1m,nr_inodes=2", "lab")
		_ = os.WriteFile(filepath.Join(dir, "one"), nil, 0o600)
		if c := checkDisk(dir, all); c.Verdict != api.VerdictWrong || !strings.Contains(c.Detail, "inodes") {
			t.Errorf("%+v", c)
		}
	})
	t.Run("a disk that is mounted read-only", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, dir, "-t", "tmpfs", "-o", "size=1m,ro", "lab")
		if c := checkDisk(dir, all); c.Verdict != api.VerdictWrong || !strings.Contains(c.Detail, "read-only") {
			t.Errorf("%+v", c)
		}
	})
	t.Run("a state directory that is not there", func(t *testing.T) {
		for _, c := range outside(filepath.Join(t.TempDir(), "gone"))[1:] {
			if c.Verdict != api.VerdictWrong || c.Remedy == "" {
				t.Errorf("%+v", c)
			}
		}
	})
	t.Run("the database of another user", func(t *testing.T) {
		if os.Getuid() != 0 {
			cannot(t, "only root gives files away")
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "latticed.db")
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chown(file, 65534, -1)); err != nil {
			t.Fatal(err)
		}
		if c := checkPermissions(dir); c.Verdict != api.VerdictWrong || !strings.Contains(c.Detail, "belongs to another user") {
			t.Errorf("%+v", c)
		}
	})
	t.Run("one that never held anything", func(t *testing.T) {
		if c := checkPermissions(t.TempDir()); c.Verdict != api.VerdictWarn {
			t.Errorf("%+v", c)
		}
	})
	t.Run("the clock has a verdict", func(t *testing.T) {
		if c := checkClock(); c.Verdict == api.VerdictWrong || c.Detail == "" {
			t.Errorf("%+v", c)
		}
	})
}

// The limits are those of a user namespace of our own, never the machine's.
func TestDoctor_inside_small_limits(t *testing.T) {
	if want := os.Getenv("LATTICED_TEST_INOTIFY"); want != "" {
		c := checkInotify(0, 0)
		if c.Verdict != api.VerdictWrong || !strings.Contains(c.Detail, "no more "+want) || !strings.Contains(c.Remedy, "sysctl fs.inotify") {
			t.Errorf("%+v", c)
		}
		return
	}
	for limit, what := range map[string]string{"max_inotify_instances": "instances", "max_inotify_watches": "watches"} {
		script := "echo 0 > /proc/sys/user/" + limit + " && exec " + os.Args[0] + " -test.run '^TestDoctor_inside_small_limits$'"
		cmd := exec.Command("unshare", "-Ur", "sh", "-c", script)
		cmd.Env = append(os.Environ(), "LATTICED_TEST_INOTIFY="+what)
		if out, err := cmd.CombinedOutput(); err != nil {
			if strings.Contains(string(out), "unshare") {
				cannot(t, "unshare: %v: %s", err, out)
			}
			t.Errorf("%s: %v\n%s", limit, err, out)
		}
	}
}
