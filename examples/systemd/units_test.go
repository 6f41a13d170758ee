package systemd_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUnits_systemd_has_nothing_to_say_about_them(t *testing.T) {
	dir := t.TempDir()
	var units []string
	for source, name := range map[string]string{
		"latticed.service":         "latticed.service",
		"latticed-runner@.service": "latticed-runner@latticed-run.service",
		"latticed-runner@.socket":  "latticed-runner@latticed-run.socket",
	} {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		// verify wants the program to exist.
		text = bytes.ReplaceAll(text, []byte("/usr/local/bin/latticed"), []byte("/bin/true"))
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		units = append(units, path)
	}
	// It exits 0 on unknown keys, so whatever it prints counts.
	cmd := exec.CommandContext(t.Context(), "systemd-analyze", append([]string{"verify"}, units...)...)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// 20 stands for an exposure of 2.0 on a scale to 10.
	cmd = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=20",
		filepath.Join(dir, "latticed.service"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("latticed.service is more exposed than it should be: %v\n%s", err, out)
	}
}

func TestInstall_stages_under_DESTDIR_and_writes_PREFIX_into_the_units(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	install(t, program, dest, "/opt/lab")

	var files []string
	err := filepath.WalkDir(dest, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, dest))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/opt/lab/bin/latticed",
		"/opt/lab/lib/systemd/system/latticed-runner@.service",
		"/opt/lab/lib/systemd/system/latticed-runner@.socket",
		"/opt/lab/lib/systemd/system/latticed.service",
		"/opt/lab/lib/sysusers.d/latticed.conf",
		"/opt/lab/lib/tmpfiles.d/latticed.conf",
	}
	slices.Sort(files)
	if !slices.Equal(files, want) {
		t.Errorf("installed %q\nwant %q", files, want)
	}
	unit, err := os.ReadFile(dest + "/opt/lab/lib/systemd/system/latticed.service")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(unit, []byte("ExecStart=/opt/lab/bin/latticed serve")) {
		t.Errorf("the unit does not start the program that was installed:\n%s", unit)
	}
	info, err := os.Stat(dest + "/opt/lab/bin/latticed")
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program has mode %v (%v), want 0755", info.Mode(), err)
	}
}

// install runs the install script of the repository.
func install(t *testing.T, program, dest, prefix string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../../scripts/install.sh")
	cmd.Env = append(os.Environ(), "BINARY="+program, "DESTDIR="+dest, "PREFIX="+prefix)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scripts/install.sh: %v\n%s", err, out)
	}
}
