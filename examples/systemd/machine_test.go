package systemd_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a booted systemd. It sees this machine's programs, and what the test
// wrote into root before the boot; it has no network but loopback.
type machine struct {
	t      *testing.T
	root   string // its root file system, seen from here
	leader int    // its pid 1, seen from here
}

// newMachine lays out the root file system without booting it.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") != "" {
		t.Fatal("not root: no systemd can be booted in a container")
	}
	if os.Getuid() != 0 {
		t.Skip("only root can boot a systemd in a container; as root this test runs")
	}
	dir := t.TempDir()
	must(t, "mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", dir)
	t.Cleanup(func() { unmount(t, dir) })
	m := &machine{t: t, root: filepath.Join(dir, "root")}
	for _, name := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "mount", "-t", "overlay", "overlay", "-o",
		fmt.Sprintf("lowerdir=/,upperdir=%[1]s/upper,workdir=%[1]s/work", dir), m.root)
	t.Cleanup(func() { unmount(t, m.root) })
	must(t, "mountpoint", "-q", m.root) // what follows deletes in it

	// A fresh machine id, and none of the services of this machine.
	if err := os.WriteFile(m.root+"/etc/machine-id", nil, 0o444); err != nil {
		t.Fatal(err)
	}
	stale, err := filepath.Glob(m.root + "/etc/systemd/system/*.wants")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(stale, m.root+"/etc/init.d", m.root+"/var/log/journal") {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// boot starts systemd and returns when it is up; the test's end powers it off.
func (m *machine) boot() {
	m.t.Helper()
	var console bytes.Buffer
	nspawn := exec.Command("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "-D", m.root, "--private-network",
		"--link-journal=no", "--console=read-only", "--boot", "--", "systemd.unit=multi-user.target")
	nspawn.Stdout, nspawn.Stderr = &console, &console
	if err := nspawn.Start(); err != nil {
		m.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = nspawn.Wait() // its exit code says how the machine ended, which nobody asks
	}()
	m.t.Cleanup(func() {
		if m.t.Failed() && m.leader != 0 {
			journal, _ := m.try("journalctl", "-b", "--no-pager", "-u", "latticed*", "-n", "100")
			m.t.Logf("journal of the machine:\n%s", journal)
		}
		if m.leader != 0 {
			_ = syscall.Kill(m.leader, syscall.Signal(34+4)) // SIGRTMIN+4: power off
		}
		select {
		case <-exited:
		case <-time.After(30 * time.Second):
			_ = nspawn.Process.Kill()
			<-exited
		}
		if m.t.Failed() && m.leader == 0 {
			m.t.Logf("console of the machine:\n%s", console.Bytes())
		}
	})
	m.eventually(30*time.Second, "systemd is up", func() bool {
		out, err := exec.Command("pgrep", "-P", strconv.Itoa(nspawn.Process.Pid)).Output()
		if err != nil {
			return false
		}
		m.leader, _ = strconv.Atoi(strings.Fields(string(out))[0])
		state, _ := m.try("systemctl", "is-system-running")
		return state == "running" || state == "degraded"
	})
}

// run runs a command in the machine as root and returns its trimmed output.
func (m *machine) run(command ...string) string {
	m.t.Helper()
	out, err := m.try(command...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return out
}

// try is run for a command that may fail.
func (m *machine) try(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.t.Context()), time.Minute)
	defer cancel()
	path := "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
	args := append([]string{"-t", strconv.Itoa(m.leader), "-a", "env", "-i", path, "LANG=C.UTF-8"}, command...)
	out, err := exec.CommandContext(ctx, "nsenter", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// eventually waits until done, looking often.
func (m *machine) eventually(limit time.Duration, what string, done func() bool) {
	m.t.Helper()
	deadline := time.After(limit)
	for !done() {
		select {
		case <-deadline:
			m.t.Fatalf("not within %s: %s", limit, what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func must(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}

// unmount detaches at last what something still holds, so that nothing stays mounted.
func unmount(t *testing.T, path string) {
	if exec.Command("umount", path).Run() == nil {
		return
	}
	if out, err := exec.Command("umount", "--lazy", path).CombinedOutput(); err != nil {
		t.Errorf("umount %s: %v\n%s", path, err, out)
	}
}
