package systemd_test

import "testing"

func TestAccounts_the_runners_user_passes_through_the_state_and_reads_nothing(t *testing.T) {
	m := newMachine(t)
	install(t, "/bin/true", m.root, "/usr/local")
	m.boot()
	m.run("systemd-sysusers", "latticed.conf")
	for range 2 { // the second time everything exists
		m.run("systemd-tmpfiles", "--create", "latticed.conf")
	}
	for path, want := range map[string]string{
		"/var/lib/latticed":      "711 latticed:latticed",
		"/var/lib/latticed/work": "750 latticed-run:latticed",
		"/var/lib/latticed-run":  "750 latticed-run:latticed-run",
	} {
		if got := m.run("stat", "-c", "%a %U:%G", path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if got := m.run("id", "-nG", "latticed-run"); got != "latticed-run" {
		t.Errorf("latticed-run is in the groups %s", got)
	}
	if out, err := m.try("runuser", "-u", "latticed-run", "--", "ls", "/var/lib/latticed"); err == nil {
		t.Errorf("latticed-run lists the state directory: %s", out)
	}
	m.run("runuser", "-u", "latticed-run", "--", "touch", "/var/lib/latticed/work/file")
	m.run("runuser", "-u", "latticed", "--", "cat", "/var/lib/latticed/work/file")
}
