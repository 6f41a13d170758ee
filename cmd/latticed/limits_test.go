package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Low on space, what runs goes on, what comes is recorded, and nothing starts; with space
// everything goes on by itself.
func TestLimits_little_space_holds_attempts_and_loses_nothing(t *testing.T) {
	w := &watcher{victim: newVictim(t)}
	w.dir = w.folder("in")
	w.tmpfs("state", "48m")
	w.config("[limits]\nmin_free = '16MiB'\n")
	w.start()
	w.storeLattice("one", map[string]any{}, map[string]any{"run": []string{"true"}})
	w.watch(map[string]any{"lattice": "one", "event_names": []string{"closed"}, "inputs": map[string]any{}})
	if err := os.WriteFile(w.ballast(), make([]byte, 36<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is low", func() bool { return w.metric("latticed_held", `reason="disk"`) == 1 })
	w.write("a", "b")
	eventually(t, "the events are dispatches", func() bool { return w.count() == 2 })
	eventually(t, "they wait for the disk", func() bool { return strings.Count(w.says("list"), "(disk)") == 2 })
	if said := w.says("show", "1"); !strings.Contains(said, "less than 16 MiB are free") {
		t.Errorf("%s", said)
	}
	if code, said := w.doctor(); code != exitFailed || !strings.Contains(said, "wrong  disk") || !strings.Contains(said, "latticed prune") {
		t.Errorf("status %d: %s", code, said)
	}
	w.must(os.Remove(w.ballast()))
	eventually(t, "they have run", func() bool { return strings.Count(w.says("list"), "completed") == 2 })
	if n := w.metric("latticed_disk_holds_total"); n != 1 {
		t.Errorf("counted %v times", n)
	}
	w.stop()
	text, err := os.ReadFile(w.log.Name())
	w.must(err)
	if n := strings.Count(string(text), `"component":"disk"`); n != 2 {
		t.Errorf("%d lines of log, want one when it began and one when it was over", n)
	}
}

// config gives the daemon a configuration file.
func (v *victim) config(text string) {
	v.t.Helper()
	file := filepath.Join(v.dir, "latticed.toml")
	write(v.t, file, text)
	if len(v.args) == 0 {
		v.args = []string{"--config", file}
	}
}

func TestLimits_by_default_are_a_gibibyte_or_a_twentieth(t *testing.T) {
	for _, c := range []struct {
		set         any
		total, want int64
	}{
		{nil, 1 << 40, 1 << 30}, {nil, 2 << 30, 2 << 30 / 20}, {"5GiB", 1 << 40, 5 << 30}, {int64(0), 1 << 40, 0}, {int64(4096), 1 << 40, 4096},
	} {
		if got := (&Limits{MinFree: c.set}).least(c.total); got != c.want {
			t.Errorf("%v of %d: %d, want %d", c.set, c.total, got, c.want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 1 << 30: "1 GiB", 46<<30 + 1: "46 GiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
