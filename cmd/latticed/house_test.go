package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/latticed/latticed"

// floors is the picture at the top of ARCHITECTURE.md: a room may import only
// rooms on lower floors, and kinds of its own.
var floors = map[string]int{
	"cmd": 4, "examples": 4, "docs": 4,
	"api":        3,
	"dispatcher": 2, "store": 2,
	"triggers": 1, "executors": 1,
	"graph": 0,
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func roomOf(path string) (name string, rest string) {
	name, rest, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, module), "/"), "/")
	return name, rest
}

func TestHouse_imports_go_downward_only(t *testing.T) {
	for _, p := range packages(t) {
		from, kind := roomOf(p.ImportPath)
		if from == "" {
			continue
		}
		floor, known := floors[from]
		if !known {
			t.Errorf("%s: the house has no room %q", p.ImportPath, from)
			continue
		}
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp, module+"/") {
				continue
			}
			to, toKind := roomOf(imp)
			switch {
			case to == from && kind == "" && toKind != "" && from != "cmd":
				t.Errorf("%s imports %s: a room must not know its kinds", p.ImportPath, imp)
			case to != from && floors[to] >= floor:
				t.Errorf("%s imports %s: up or sideways", p.ImportPath, imp)
			}
		}
	}
}

func TestHouse_graph_has_no_io(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module+"/graph" {
			continue
		}
		for _, imp := range p.Imports {
			switch imp {
			case "os", "net", "net/http", "database/sql", "os/exec":
				t.Errorf("graph imports %s", imp)
			}
		}
	}
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}
