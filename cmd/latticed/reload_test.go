package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// heard sends SIGHUP and returns what the log says of it.
func (v *victim) heard() map[string]any {
	v.t.Helper()
	said := func() (lines []string) {
		text, err := os.ReadFile(v.log.Name())
		if err != nil {
			v.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "configuration") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	before := len(said())
	v.signal(syscall.SIGHUP)
	eventually(v.t, "the configuration is read again", func() bool { return len(said()) > before })
	var line map[string]any
	if err := json.Unmarshal([]byte(said()[before]), &line); err != nil {
		v.t.Fatal(err)
	}
	return line
}

func words(v any) string {
	all, _ := v.([]any)
	var out []string
	for _, w := range all {
		out = append(out, w.(string))
	}
	return strings.Join(out, " ")
}

func TestReload_takes_over_what_can_be_changed_and_names_the_rest(t *testing.T) {
	v := newVictim(t)
	told := filepath.Join(v.dir, "told")
	v.config("[executors.local]\nparallel = 2\n")
	v.start()
	if line := v.heard(); words(line["changed"]) != "" || line["level"] != "info" {
		t.Errorf("nothing had changed: %v", line)
	}
	v.config("[executors.local]\nparallel = 3\nenv = {COLOUR = 'green'}\n[retention]\nage = '90d'\n[limits]\nmin_free = 0\n[http]\nhosts = ['lab.example']\nmax_connections = 7\n" +
		"[paths]\nwatch = ['/data']\n[alarm]\nafter = 0\ncommand = ['/bin/sh', '-c', 'cat > " + told + "']\n")
	line := v.heard()
	if got := words(line["changed"]); got != "http.hosts executors.local.parallel executors.local.env alarm retention limits" {
		t.Errorf("changed: %s", got)
	}
	if got := words(line["needs_restart"]); got != "paths.watch http.max_connections" || line["level"] != "warn" {
		t.Errorf("needs a restart: %v", line)
	}
	if n := v.metric("latticed_attempt_slots", `executor="local"`); n != 3 {
		t.Errorf("%v slots", n)
	}
	v.storeLattice("colour", map[string]any{}, map[string]any{"bash": "echo $COLOUR"})
	if said := v.says("dispatch", "colour", "--wait"); !strings.Contains(said, "green") {
		t.Errorf("an attempt sees %s", said)
	}

	t.Run("a bad file changes nothing", func(t *testing.T) {
		for text, want := range map[string]string{
			"[executors.local]\nparallel = 'many'\n": "must be a whole number", "[retention]\nage = 'soon'\n": "retention.age", "[": "latticed.toml:1",
		} {
			v.config(text)
			if line := v.heard(); line["level"] != "error" || !strings.Contains(line["err"].(string), want) {
				t.Errorf("%s: %v", text, line)
			}
		}
		if n := v.metric("latticed_attempt_slots", `executor="local"`); n != 3 {
			t.Errorf("%v slots", n)
		}
	})

	t.Run("those who are told now are told of what is failing", func(t *testing.T) {
		gone := v.folder("gone")
		v.add(map[string]any{"name": "gone", "kind": "directory", "lattice": "colour", "dir_path": gone})
		if err := os.Remove(gone); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the command of the new configuration is run", func() bool {
			text, _ := os.ReadFile(told)
			return strings.Contains(string(text), "gone")
		})
	})
	v.stop()
}

func TestReload_without_a_file_says_so(t *testing.T) {
	v := newVictim(t)
	v.start()
	if line := v.heard(); line["message"] != "configuration read again" && line["level"] != "warn" {
		t.Errorf("%v", line)
	}
	v.stop()
}
