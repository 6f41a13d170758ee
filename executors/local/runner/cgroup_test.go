package runner

import (
	"os"
	"path/filepath"
	"testing"
)

// fakeGroup looks like a control group, as far as taking and giving goes.
func fakeGroup(t *testing.T, g *cgroups, name, events string) {
	t.Helper()
	dir := filepath.Join(g.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.events"), []byte(events), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCgroups_empty_ones_are_used_again_and_others_never(t *testing.T) {
	keepsNoDescriptor(t)
	g := &cgroups{dir: t.TempDir(), run: "r"}
	const empty, full = "populated 0\nfrozen 0\n", "populated 1\nfrozen 0\n"
	fakeGroup(t, g, "r-1", full) // survivors of an earlier runner live in it
	fakeGroup(t, g, "r-2", empty)
	fakeGroup(t, g, "r-3", empty)
	take := func() *slot {
		t.Helper()
		s, err := g.take()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := take()
	if filepath.Base(first.path) != "r-2" {
		t.Fatalf("took %s", first.path)
	}
	g.give(first)
	again := take()
	if again != first {
		t.Errorf("took %s instead of the one given back", again.path)
	}
	fakeGroup(t, g, "r-2", full) // somebody puts a process into it
	g.give(again)
	other := take()
	if filepath.Base(other.path) != "r-3" {
		t.Errorf("took %s", other.path)
	}
	other.close()
}

func TestCgroups_killed_ones_are_never_used_again(t *testing.T) {
	keepsNoDescriptor(t)
	g := &cgroups{dir: t.TempDir(), run: "r"}
	fakeGroup(t, g, "r-1", "populated 0\n")
	fakeGroup(t, g, "r-2", "populated 0\n")
	s, err := g.take()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.kill(); err != nil {
		t.Fatal(err)
	}
	g.give(s)
	other, err := g.take()
	if err != nil {
		t.Fatal(err)
	}
	if other.path == s.path {
		t.Error("a group that was killed is used again")
	}
	other.close()
}
