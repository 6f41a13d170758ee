package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/executors/local/runner"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/directory"
	"github.com/latticed/latticed/triggers/timer"
	"github.com/latticed/latticed/triggers/triggertest"
)

// specOf is what the flags of trigger add make.
func specOf(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var s specFlags
	cmd := &cobra.Command{Use: "add"}
	s.add(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	spec, err := s.spec(cmd, func() ([]graph.Input, error) {
		return []graph.Input{{Name: "n", Type: "integer"}, {Name: "s", Type: "string"}}, nil
	})
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(spec)
	return string(raw), err
}

func TestTriggerFlags_are_the_fields_with_dashes(t *testing.T) {
	t.Chdir("/tmp")
	for args, want := range map[string]string{
		"":                                `{}`,
		"--dispatch 7":                    `{"dispatch_id":"7"}`,
		"--lattice xrd@latest":            `{"lattice":"xrd@latest"}`,
		"-m a=event.path":                 `{"inputs":{"a":"${{ event.path }}"}}`,
		"-m a=event.size==1":              `{"inputs":{"a":"${{ event.size==1 }}"}}`,
		"-i n=3 -i s=3":                   `{"inputs":{"n":3,"s":"3"}}`,
		"-i n:=3 -m s=event.name":         `{"inputs":{"n":3,"s":"${{ event.name }}"}}`,
		"-i s=x-${{event.name}}":          `{"inputs":{"s":"x-${{event.name}}"}}`,
		"--when event.size>1":             `{"when":"${{ event.size\u003e1 }}"}`,
		"--dir-path in":                   `{"dir_path":"/tmp/in"}`,
		"--event-names closed,created":    `{"event_names":["closed","created"]}`,
		"--include *.tif --include *.csv": `{"include":["*.tif","*.csv"]}`,
		"--include *.{tif,csv},[a,b]*":    `{"include":["*.{tif,csv}","[a,b]*"]}`,
		"--recursive --partial=false":     `{"partial":false,"recursive":true}`,
		"--settle 10":                     `{"settle":10}`,
		"--settle 1m30s":                  `{"settle":"1m30s"}`,
		"--time-gap 0.5":                  `{"time_gap":0.5}`,
		"--max-in-flight 2":               `{"max_in_flight":2}`,
		"--min-size 1MiB":                 `{"min_size":"1MiB"}`,
		`--batch {"size":2}`:              `{"batch":{"size":2}}`,
		"--batch-size 2":                  `{"batch_size":2}`,
		"--label a=b --label c=d=e":       `{"labels":{"a":"b","c":"d=e"}}`,
		"--field rate=60/1h":              `{"rate":"60/1h"}`,
		`--field marker:={"any":["x"]}`:   `{"marker":{"any":["x"]}}`,
	} {
		if got, err := specOf(t, strings.Fields(args)...); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", args, got, err, want)
		}
	}
	for arg, want := range map[string]string{ // with spaces in them
		"--marker={all: [DONE.txt], any: ['*.ok']}":      `{"marker":{"all":["DONE.txt"],"any":["*.ok"]}}`,
		`--group={by: '^(\w+)_', need: ["*.a", "*.b"]}`:  `{"group":{"by":"^(\\w+)_","need":["*.a","*.b"]}}`,
		"--cron=0 7 * * 1-5":                             `{"cron":"0 7 * * 1-5"}`,
		"--dst={gap: skip}":                              `{"dst":{"gap":"skip"}}`,
		"--at=2026-03-01T12:00:00Z,2026-04-01T12:00:00Z": `{"at":["2026-03-01T12:00:00Z","2026-04-01T12:00:00Z"]}`,
	} {
		if got, err := specOf(t, arg); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", arg, got, err, want)
		}
	}
}

func TestTriggerFlags_are_refused_when_they_make_no_sense(t *testing.T) {
	for args, want := range map[string]string{
		"-i n=x":             `-i n: must be an integer, not "x"`,
		"-i x=1":             "-i x: the lattice has no such input; it has n, s",
		"-m n=1 -i n=1":      "-i n: the input is given twice",
		"--min-size huge":    "--min-size: ",
		"--field x":          "--field x: write key=text or key:=JSON",
		"--field x:={":       "--field x: not JSON: ",
		"--marker {all:":     "--marker: write an object, such as ",
		"--marker DONE.txt":  "--marker: write an object, such as ",
		"--expect-every day": "--expect-every: ",
		"--max-in-flight 1x": `--max-in-flight: must be a whole number, not "1x"`,
	} {
		if _, err := specOf(t, strings.Fields(args)...); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

// fieldsWithFlags are the fields that flags of trigger add can set.
func fieldsWithFlags() map[string]bool {
	known := map[string]bool{ // by flags and arguments of their own
		"name": true, "kind": true, "dispatch_id": true, "lattice": true, "inputs": true, "labels": true,
	}
	for _, fd := range triggerFields() {
		known[fd.name] = true
	}
	return known
}

func TestTriggerFlags_there_is_one_for_every_field(t *testing.T) {
	dir := shortDir(t)
	var cfg Config
	cfg.Paths.StateDir, cfg.Paths.Socket = filepath.Join(dir, "state"), filepath.Join(dir, "s")
	d := &daemon{log: zerolog.Nop(), failed: make(chan error, 8)}
	defer func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := errors.Join(d.open(t.Context(), cfg, zerolog.Nop(), runner.Options{}), d.begin(t.Context())); err != nil {
		t.Fatal(err)
	}
	api := client.New(cfg.Paths.Socket)
	defer api.Close()
	if _, err := api.StoreLattice(t.Context(), []byte(`{"lattice": "x", "inputs": {"n": {"type": "integer", "default": 1}}, "electrons": {"e": {"run": ["true"]}}}`)); err != nil {
		t.Fatal(err)
	}
	lab, url := filepath.Join(dir, "lab.db"), filepath.Join(dir, "url")
	makeLab(t, lab)
	if err := os.WriteFile(url, []byte("sqlite:///"+lab+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LATTICED_TEST_LAB", "sqlite:///"+lab)
	seen := map[string]bool{}
	for _, spec := range []string{
		`{"name": "q", "kind": "sqlite", "lattice": "x", "db_path": "` + lab + `", "table_name": "runs"}`,
		`{"name": "r", "kind": "sqlite", "lattice": "x", "db_path": "` + lab + `", "table_name": "runs", "mode": "level"}`,
		`{"name": "s", "kind": "database", "lattice": "x", "url": "sqlite:///` + lab + `", "table_name": "runs"}`,
		`{"name": "t", "kind": "database", "lattice": "x", "url_file": "` + url + `", "table_name": "runs"}`,
		`{"name": "u", "kind": "database", "lattice": "x", "url_env": "LATTICED_TEST_LAB", "table_name": "runs"}`,
		`{"name": "a", "kind": "directory", "lattice": "x", "dir_path": "` + dir + `"}`,
		`{"name": "b", "kind": "time", "lattice": "x", "time_gap": 3600}`,
		`{"name": "c", "kind": "time", "lattice": "x", "every": 3600, "after": "completion"}`,
		`{"name": "d", "kind": "time", "lattice": "x", "cron": "@daily", "dst": {"gap": "skip"}, "jitter": 1}`,
		`{"name": "e", "kind": "time", "lattice": "x", "at": ["2100-01-01T00:00:00Z"]}`,
		`{"name": "f", "kind": "directory", "lattice": "x", "dir_path": "` + dir + `", "unit": "folder", "depth": 1, "expect": {"count": 2}, "marker": {"all": ["DONE"]}, "deadline": "1h", "on_deadline": "fire"}`,
		`{"name": "h", "kind": "webhook", "lattice": "x"}`,
		`{"name": "i", "kind": "webhook", "lattice": "x", "signature": {"style": "hex", "secret": "long enough"}}`,
		`{"name": "j", "kind": "dispatch", "lattice": "x", "of": {"lattice": "y"}, "sweep": {"grid": {"n": [1, 2]}}}`,
		`{"name": "g", "kind": "directory", "lattice": "x", "dir_path": "` + dir + `", "group": {"by": "(\\d+)", "need": ["*.a", "*.b"]}}`,
	} {
		a, err := api.CreateTrigger(t.Context(), []byte(spec))
		if err != nil {
			t.Fatal(err)
		}
		if a, err = api.Trigger(t.Context(), a.Value.ID, true); err != nil {
			t.Fatal(err)
		}
		var all struct{ Effective []setting }
		if err := json.Unmarshal(a.Raw, &all); err != nil {
			t.Fatal(err)
		}
		for _, s := range all.Effective {
			name, _, _ := strings.Cut(s.Field, ".") // batch.size is within batch
			seen[name] = true
		}
	}
	for _, name := range []string{"when", "dedupe_key", "batch_size"} { // have no value unless they are set
		seen[name] = true
	}
	known := fieldsWithFlags()
	for name := range seen {
		if !known[name] {
			t.Errorf("no flag sets %s", name)
		}
	}
	for _, fd := range triggerFields() {
		if !seen[fd.name] {
			t.Errorf("--%s sets what no trigger has", fd.flag())
		}
	}
}

// makeLab makes a SQLite file with a table.
func makeLab(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT)")
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestTriggerFields_refusals_name_the_flag_that_was_given(t *testing.T) {
	cmd := newTriggerAdd(&cli{})
	if err := cmd.ParseFlags([]string{"-i", "n=1", "-i", "j:=2", "-m", "file=event.path"}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"inputs.n": "-i n", "inputs.j": "-i j", "inputs.file": "-m file", "inputs.gone": "-m gone", "inputs": "-m", "dir_path": "--dir-path", "batch.size": "--batch.size",
	} {
		if got := asFlag(cmd, path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestTriggerFields_of_another_kind_are_told_apart_from_unknown_ones(t *testing.T) {
	m := triggers.NewManager(triggertest.NewLedger(), triggers.Kinds{"directory": directory.Kind(directory.Options{}), "time": timer.Kind}, triggers.Options{Log: zerolog.Nop()})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	defer running.Wait()
	defer cancel()
	others := map[string]string{"directory": "time", "time": "directory"}
	seen := map[string]int{}
	for _, fd := range triggerFields() {
		kind, _, of := strings.Cut(fd.help, ": ")
		other := others[kind]
		if !of || other == "" {
			continue // of every kind
		}
		seen[kind]++
		_, _, err := m.Add(t.Context(), fmt.Appendf(nil, `{"name": "t", "kind": %q, %q: "x", "evryy": 1}`, other, fd.name), triggers.Principal{})
		var wrong *graph.Invalid
		if want := fmt.Sprintf("%s: is a field of kind %s, not of %s", fd.name, kind, other); !errors.As(err, &wrong) || strings.Count(err.Error(), want) != 1 || strings.Contains(err.Error(), fmt.Sprintf("unknown field %q", fd.name)) {
			t.Errorf("%s: %v\nwant %s", fd.name, err, want)
		} else if !strings.Contains(err.Error(), `unknown field "evryy"`) {
			t.Error(err)
		}
	}
	if seen["time"] < 10 || seen["directory"] < 15 {
		t.Error(seen)
	}
}

func TestSpec_of_a_database_has_its_fields_as_they_are_written(t *testing.T) {
	got, err := specOf(t, "--url", "postgresql://h/d", "--table-name", "lab.runs", "--where-clauses", "state IN ('a', 'b')", "--where-clauses", "n > 1",
		"--cursor", "at,id", "--start", "12", "--poll-interval", "0.5", "--look-back", "1m")
	want := `{"cursor":["at","id"],"look_back":"1m","poll_interval":0.5,"start":12,"table_name":"lab.runs","url":"postgresql://h/d","where_clauses":["state IN ('a', 'b')","n \u003e 1"]}`
	if err != nil || got != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
	for start, want := range map[string]string{"now": `"now"`, "[1, \"x\"]": `[1,"x"]`, "2026-03-01": `"2026-03-01"`, "1.5": "1.5"} {
		if got, err := specOf(t, "--start", start); err != nil || got != `{"start":`+want+`}` {
			t.Errorf("--start %s: %s %v", start, got, err)
		}
	}
	for given, want := range map[string]string{"/data/lab.db": "/data/lab.db", "sqlite:////data/lab.db": "sqlite:////data/lab.db", "file:/data/lab.db": "file:/data/lab.db"} {
		if got, err := specOf(t, "--db-path", given); err != nil || got != `{"db_path":"`+want+`"}` {
			t.Errorf("--db-path %s: %s %v", given, got, err)
		}
	}
}
