package database

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

// writerPy runs statements in another process: one JSON list a line, [sql, args…]; the
// answer is {"rows": …} or {"error": …}. Transactions are what the statements say.
const writerPy = `
import json, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=float(sys.argv[2]))
for line in sys.stdin:
    q, *args = json.loads(line)
    try:
        r = {"rows": [[str(v) if isinstance(v, bytes) else v for v in row] for row in c.execute(q, args).fetchall()]}
    except Exception as e:
        r = {"error": str(e)}
    print(json.dumps(r), flush=True)
`

// writer is another process that has a SQLite file open.
type writer struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
	cmd *exec.Cmd
}

// startWriter opens a file in another process, which makes it if it is not there.
func startWriter(t *testing.T, path string, timeout float64) *writer {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	cmd := exec.Command(python, "-c", writerPy, path, fmt.Sprint(timeout))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, in: in, out: bufio.NewScanner(out), cmd: cmd}
	w.out.Buffer(nil, 1<<24)
	t.Cleanup(w.end)
	return w
}

// end ends the process as one that closes its files.
func (w *writer) end() {
	_ = w.in.Close()
	_ = w.cmd.Wait()
}

// kill ends it as a crash does.
func (w *writer) kill() {
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}

// try runs a statement and gives what its writer was told.
func (w *writer) try(q string, args ...any) ([][]any, error) {
	w.t.Helper()
	line, err := json.Marshal(append([]any{q}, args...))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.in.Write(append(line, '\n')); err != nil {
		w.t.Fatal(err)
	}
	if !w.out.Scan() {
		w.t.Fatal("the writer has ended")
	}
	var r struct {
		Rows  [][]any
		Error string
	}
	if err := json.Unmarshal(w.out.Bytes(), &r); err != nil {
		w.t.Fatal(err)
	}
	if r.Error != "" {
		return nil, fmt.Errorf("%s", r.Error)
	}
	return r.Rows, nil
}

// do runs a statement that has to succeed.
func (w *writer) do(q string, args ...any) [][]any {
	w.t.Helper()
	rows, err := w.try(q, args...)
	if err != nil {
		w.t.Fatalf("%s: %v", q, err)
	}
	return rows
}
