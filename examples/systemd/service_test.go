package systemd_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hello = `
lattice: hello
electrons:
  hello:
    python: |
      def main():
          return "hello from python"
`

const patient = `
lattice: patient
electrons:
  wait:
    bash: |
      echo $$ >/srv/flag/pid
      until [ -e /srv/flag/go ]; do sleep 0.05; done
      id -un; id -Gn; pwd; echo "$HOME"
    result: lines
`

func TestService_electrons_go_on_while_the_daemon_restarts_dies_and_is_upgraded(t *testing.T) {
	m := newMachine(t)
	install(t, build(t, "one"), m.root, "/usr/local")
	m.write("/root/patient.yaml", patient)
	m.write("/root/hello.yaml", hello)
	m.boot()
	m.start()
	m.run("install", "-d", "-o", "latticed-run", "/srv/flag")

	m.run("latticed", "dispatch", "/root/patient.yaml")
	m.eventually(20*time.Second, "the electron runs", func() bool {
		_, err := m.try("test", "-s", "/srv/flag/pid")
		return err == nil
	})
	electron := m.run("cat", "/srv/flag/pid")
	daemon := m.daemon()
	goesOn := func(what string) {
		t.Helper()
		if _, err := m.try("kill", "-0", electron); err != nil {
			t.Fatalf("%s: the electron is gone\n%s", what, m.run("journalctl", "-b", "--no-pager"))
		}
		m.eventually(20*time.Second, what+": another daemon serves", func() bool {
			now, err := m.try("systemctl", "show", "-P", "MainPID", "latticed")
			_, whoami := m.try("latticed", "whoami")
			return err == nil && now != "0" && now != daemon && whoami == nil
		})
		daemon = m.daemon()
	}

	m.run("systemctl", "restart", "latticed")
	goesOn("after a restart")
	m.run("systemctl", "kill", "--signal=KILL", "latticed")
	goesOn("after SIGKILL")
	install(t, build(t, "two"), m.root, "/usr/local")
	m.run("systemctl", "restart", "latticed")
	goesOn("after an upgrade")
	if out := m.run("latticed", "whoami", "--json"); !strings.Contains(out, `"two"`) {
		t.Errorf("the new version is not in use: %s", out)
	}
	// The runner is still the one of the first version; it starts new electrons, too.
	if out := m.run("latticed", "dispatch", "/root/hello.yaml", "--wait"); !strings.Contains(out, "hello from python") {
		t.Errorf("a new electron beside the old one gives %s", out)
	}
	m.run("systemctl", "stop", "latticed")
	m.run("kill", "-0", electron)
	m.run("touch", "/srv/flag/go")
	m.eventually(20*time.Second, "the electron ends without a daemon", func() bool {
		_, err := m.try("kill", "-0", electron)
		return err != nil
	})
	m.run("systemctl", "start", "latticed")

	m.run("latticed", "wait", "1")
	var d struct {
		Status    string
		Result    map[string][]string
		Electrons []struct{ Attempts []struct{ Status string } }
	}
	if err := json.Unmarshal([]byte(m.run("latticed", "show", "1", "--json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.Status != "completed" || len(d.Electrons) != 1 || len(d.Electrons[0].Attempts) != 1 {
		t.Errorf("got %+v, want it completed in one attempt", d)
	}
	lines := d.Result["wait"]
	if len(lines) != 4 || lines[0] != "latticed-run" || lines[1] != "latticed-run" ||
		!strings.HasPrefix(lines[2], "/var/lib/latticed/work/") || lines[3] != "/var/lib/latticed-run" {
		t.Errorf("the electron ran as %q", lines)
	}
	m.quiet()
}

func TestService_daemon_that_hangs_is_restarted(t *testing.T) {
	m := newMachine(t)
	install(t, build(t, "one"), m.root, "/usr/local")
	m.write("/etc/systemd/system/latticed.service.d/watchdog.conf", "[Service]\nWatchdogSec=1s\nTimeoutAbortSec=1s\n")
	m.boot()
	m.start()
	daemon := m.daemon()
	m.run("kill", "-STOP", daemon)
	m.eventually(30*time.Second, "another daemon serves", func() bool {
		now, _ := m.try("systemctl", "show", "-P", "MainPID", "latticed")
		_, err := m.try("latticed", "whoami")
		return now != "0" && now != daemon && err == nil
	})
}

func TestService_only_members_of_its_group_get_in(t *testing.T) {
	m := newMachine(t)
	install(t, build(t, "one"), m.root, "/usr/local")
	m.boot()
	m.start()
	m.run("useradd", "member", "-G", "latticed")
	m.run("useradd", "stranger")
	if out := m.run("runuser", "-u", "member", "--", "latticed", "whoami"); !strings.Contains(out, "member") {
		t.Errorf("whoami says %s", out)
	}
	for _, user := range []string{"stranger", "latticed-run"} {
		out, err := m.try("runuser", "-u", user, "--", "latticed", "whoami")
		if err == nil || !strings.Contains(out, "not in group latticed") {
			t.Errorf("%s gets in, or isn't told why not: %v %s", user, err, out)
		}
		for _, path := range []string{"latticed.db", "assets"} {
			if _, err := m.try("runuser", "-u", user, "--", "head", "-c1", "/var/lib/latticed/"+path); err == nil {
				t.Errorf("%s reads %s", user, path)
			}
		}
	}
	const connect = "import socket; socket.socket(socket.AF_UNIX).connect('/run/latticed-runner/latticed-run.sock')"
	out, err := m.try("runuser", "-u", "member", "--", "python3", "-c", connect)
	if err == nil || !strings.Contains(out, "PermissionError") {
		t.Errorf("a member gets past the daemon to the runner: %v %s", err, out)
	}
}

// start makes the accounts and starts the service, as the install script would.
func (m *machine) start() {
	m.t.Helper()
	m.run("systemd-sysusers", "latticed.conf")
	m.run("systemd-tmpfiles", "--create", "latticed.conf")
	if out, err := m.try("systemctl", "enable", "--now", "latticed"); err != nil {
		m.t.Fatalf("%v: %s\n%s", err, out, m.run("journalctl", "-b", "--no-pager", "-u", "latticed*"))
	}
}

// quiet fails when systemd had something to complain about.
func (m *machine) quiet() {
	m.t.Helper()
	journal := m.run("journalctl", "-b", "--no-pager", "-o", "cat", "-u", "latticed*")
	for _, sign := range []string{"left-over process", "Unknown key", "State 'stop-sigterm' timed out"} {
		if strings.Contains(journal, sign) {
			m.t.Errorf("the journal says %q:\n%s", sign, journal)
		}
	}
	if failed := m.run("systemctl", "--failed", "--plain", "--no-legend"); strings.Contains(failed, "latticed") {
		m.t.Errorf("failed units: %s", failed)
	}
}

func (m *machine) daemon() string {
	m.t.Helper()
	return m.run("systemctl", "show", "-P", "MainPID", "latticed")
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.root+path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.root+path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// build builds the program with a version and returns its path.
func build(t *testing.T, version string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "latticed")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.version="+version, "-o", program, "../../cmd/latticed")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}
