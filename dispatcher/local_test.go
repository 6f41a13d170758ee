package dispatcher_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/latticed/latticed/executors/local"
	"github.com/latticed/latticed/executors/local/runner"
	"github.com/latticed/latticed/graph"
)

// TestMain lets the test binary be the runner as well: the local executor starts it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		o, err := runner.ParseArgs(os.Args[2:], os.Stderr)
		if err == nil {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
			err = runner.Main(ctx, o)
			stop()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// newLocal is a house with real processes.
func newLocal(t testing.TB) *house {
	t.Helper()
	run, err := os.MkdirTemp("", "ld") // short: a socket lives here
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(run) })
	dir := t.TempDir()
	h := openHouse(t, dir, nil)
	e, err := local.New(local.Options{
		StateDir: dir, RuntimeDir: run, Runner: runner.Options{Idle: 300 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.stop()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	h.exec = e
	return h
}

func TestLocal_a_lattice_of_real_programs(t *testing.T) {
	h := newLocal(t).start()
	g := h.run(`
lattice: real
inputs: {n: {type: integer}}
include: {square.py: {text: "def square(x):\n    return {'square': x * x}\n"}}
electrons:
  square: {python: "square.py:square", args: {x: "${{ inputs.n }}"}}
  table:
    bash: |
      seq "$N" > table.txt
      echo "made $(wc -l < table.txt) lines" >&2
      echo '{"lines": '$(wc -l < table.txt)'}' > "$LATTICED_RESULT"
    env: {N: "${{ electrons.square.result.square }}"}
    outputs: {table: table.txt}
  count: {run: [wc, -l, "${{ electrons.table.files.table }}"]}
output: {lines: "${{ electrons.table.result.lines }}", count: "${{ electrons.count.stdout }}"}
`, map[string]any{"n": int64(12)})
	if want := `{"count":"144 in/table/table\n","lines":144}`; string(g.Result) != want {
		t.Errorf("it ended %s with %s, want %s; error %+v", g.Status, g.Result, want, g.Error)
	}
	e := h.electron(g.ID, "table")
	if a := e.Attempts[0]; a.ExitCode == nil || *a.ExitCode != 0 || a.Usage == nil || a.Stderr == nil || a.WorkDir != "" {
		t.Errorf("its attempt is %+v", a)
	}
}

func TestLocal_a_failed_attempt_keeps_its_directory(t *testing.T) {
	h := newLocal(t).start()
	g := h.run("lattice: bad\nelectrons:\n  a: {bash: \"touch trace; exit 7\"}\n", nil)
	if g.Status != graph.Failed || g.Error.Code != "exit_code" {
		t.Fatalf("it ended %s: %+v", g.Status, g.Error)
	}
	a := h.electron(g.ID, "a").Attempts[0]
	if *a.ExitCode != 7 || a.WorkDir == "" {
		t.Fatalf("the attempt is %+v", a)
	}
	if _, err := os.Stat(filepath.Join(a.WorkDir, "trace")); err != nil {
		t.Error(err)
	}
}

func TestLocal_cancel_leaves_no_process(t *testing.T) {
	h := newLocal(t).start()
	mark := filepath.Join(t.TempDir(), "alive")
	g := h.submit(fmt.Sprintf("lattice: c\nelectrons:\n  a: {bash: \"sleep 300 & echo $! > %s.new; mv %s.new %s; wait\"}\n", mark, mark, mark), nil)
	for _, err := os.Stat(mark); err != nil; _, err = os.Stat(mark) {
		time.Sleep(5 * time.Millisecond)
	}
	h.cancel(g.ID)
	if g = h.end(g.ID); g.Status != graph.Cancelled {
		t.Errorf("it ended %s", g.Status)
	}
	text, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil && !strings.Contains(string(stat), ") Z ") { // one that nobody has collected is dead
		t.Errorf("process %d is alive", pid)
	}
}

func TestLocal_electrons_go_on_while_nobody_looks(t *testing.T) {
	h := newLocal(t).start()
	mark := filepath.Join(t.TempDir(), "ran")
	g := h.submit(fmt.Sprintf("lattice: r\nelectrons:\n  a: {bash: \"echo x >> %s; sleep 0.5; echo done\"}\n", mark), nil)
	for _, err := os.Stat(mark); err != nil; _, err = os.Stat(mark) {
		time.Sleep(5 * time.Millisecond)
	}
	h.stop()
	h.start()
	if g = h.end(g.ID); string(g.Result) != `{"a":"done"}` {
		t.Errorf("it ended %s with %s: %+v", g.Status, g.Result, g.Error)
	}
	if text, _ := os.ReadFile(mark); string(text) != "x\n" {
		t.Errorf("it ran %d times", len(text)/2)
	}
}
