package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// victim is a daemon that is killed again and again, on a state directory that stays.
type victim struct {
	t      *testing.T
	binary string
	dir    string
	args   []string // of serve, beside the places
	cmd    *exec.Cmd
	exited chan struct{}
	client *http.Client
	log    *os.File
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	dir := shortDir(t)
	v := &victim{t: t, binary: binary(t), dir: dir}
	var err error
	if v.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	v.client = &http.Client{Timeout: 70 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(dir, "s"))
		},
	}}
	t.Cleanup(func() {
		v.kill()
		if t.Failed() {
			text, _ := os.ReadFile(v.log.Name())
			t.Logf("the end of the log:\n%s", text[max(0, len(text)-8000):])
		}
		v.log.Close()
	})
	return v
}

func (v *victim) state() string { return filepath.Join(v.dir, "state") }

// start runs the daemon and waits until it answers.
func (v *victim) start() {
	v.t.Helper()
	v.cmd = exec.Command(v.binary, append([]string{"serve", "--state-dir", v.state(), "--socket", filepath.Join(v.dir, "s")}, v.args...)...)
	v.cmd.Stderr, v.cmd.Stdout = v.log, v.log
	v.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+v.dir)
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	cmd, exited := v.cmd, make(chan struct{})
	v.exited = exited
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	eventually(v.t, "the daemon answers", func() bool {
		r, err := v.client.Get("http://latticed/readyz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

// kill ends the daemon at once.
func (v *victim) kill() {
	if v.cmd == nil {
		return
	}
	_ = v.cmd.Process.Kill()
	<-v.exited
	v.cmd = nil
}

// stop ends it in order.
func (v *victim) stop() {
	v.t.Helper()
	_ = v.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-v.exited:
	case <-time.After(20 * time.Second):
		v.t.Fatal("the daemon doesn't stop")
	}
	if code := v.cmd.ProcessState.ExitCode(); code != 0 {
		v.t.Errorf("it exited with %d", code)
	}
	v.cmd = nil
}

// insist sends a POST until it is answered, however often the daemon dies meanwhile: the
// key makes what it asks for happen once. It returns the answer, nil when it is another
// status than wanted.
func (v *victim) insist(path, key string, body any, want int) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		v.t.Error(err)
		return nil
	}
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(5 * time.Millisecond) {
		req, err := http.NewRequest(http.MethodPost, "http://latticed/v1"+path, bytes.NewReader(text))
		if err != nil {
			v.t.Error(err)
			return nil
		}
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		resp, err := v.client.Do(req)
		if err != nil {
			continue
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			continue
		}
		if resp.StatusCode != want {
			v.t.Errorf("POST %s %s: %s: %s", path, key, resp.Status, answer)
			return nil
		}
		return answer
	}
	v.t.Errorf("POST %s %s was never acknowledged", path, key)
	return nil
}

// dispatch asks for a dispatch until that is acknowledged, and returns its id.
func (v *victim) dispatch(key string, lattice any) string {
	var d struct{ ID string }
	if answer := v.insist("/dispatches", key, map[string]any{"lattice": lattice}, http.StatusCreated); answer != nil {
		if err := json.Unmarshal(answer, &d); err != nil {
			v.t.Error(err)
		}
	}
	return d.ID
}

// crashed is a dispatch as the crash tests look at it.
type crashed struct {
	ID, Status string
	Number     int64
	Result     json.RawMessage
	Error      json.RawMessage
	Electrons  []struct {
		Name, Status string
		Waiting      json.RawMessage
		ReusedFrom   string `json:"reused_from"`
		Attempts     []struct {
			ID, Status string
			N          int
			WorkDir    string `json:"work_dir"`
		}
	}
}

// ended waits for the end of a dispatch.
func (v *victim) ended(id string) crashed {
	v.t.Helper()
	var d crashed
	for begun := time.Now(); time.Since(begun) < 60*time.Second; {
		resp, err := v.client.Get("http://latticed/v1/dispatches/" + id + "?wait=10s")
		if err != nil {
			v.t.Fatal(err)
		}
		err = json.NewDecoder(resp.Body).Decode(&d)
		resp.Body.Close()
		if err != nil {
			v.t.Fatal(err)
		}
		switch d.Status {
		case "completed", "failed", "cancelled":
			return d
		}
	}
	v.t.Fatalf("dispatch %d is still %s: %+v", d.Number, d.Status, d.Electrons)
	return d
}

// count is how many dispatches there are.
func (v *victim) count() int {
	v.t.Helper()
	resp, err := v.client.Get("http://latticed/v1/dispatches?limit=500")
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct{ Items []json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		v.t.Fatal(err)
	}
	return len(page.Items)
}

// processes returns those whose command line or directory belongs to the victim.
func (v *victim) processes(match func(pid int, cmdline []string, cwd string) bool) (pids []int) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		v.t.Fatal(err)
	}
	for _, dir := range dirs {
		line, err := os.ReadFile(dir + "/cmdline")
		if err != nil {
			continue // it has ended meanwhile
		}
		cwd, _ := os.Readlink(dir + "/cwd")
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if match(pid, strings.Split(string(line), "\x00"), cwd) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// runners leaves out their children: between fork and exec an electron looks like its
// runner, and a moment later it would be the electron that is killed.
func (v *victim) runners() []int {
	found := v.processes(func(_ int, line []string, _ string) bool {
		return len(line) > 1 && line[0] == v.binary && line[1] == "runner" && strings.Contains(strings.Join(line, " "), v.dir)
	})
	return slices.DeleteFunc(slices.Clone(found), func(pid int) bool { return slices.Contains(found, parent(pid)) })
}

// parent is the parent of a process, 0 when it has ended.
func parent(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	n, _ := strconv.Atoi(fields[1])
	return n
}

// leftovers are processes of electrons.
func (v *victim) leftovers() []int {
	return v.processes(func(_ int, _ []string, cwd string) bool { return strings.HasPrefix(cwd, v.state()+"/work/") })
}

// checkNothingIsOrphaned compares what is on disk with what is in the database, once
// the daemon has stopped.
func (v *victim) checkNothingIsOrphaned(keep map[string]bool) {
	v.t.Helper()
	eventually(v.t, "the runner leaves", func() bool { return len(v.runners()) == 0 })
	if ps := v.leftovers(); len(ps) > 0 {
		v.t.Errorf("processes of electrons are left: %v", ps)
	}
	entries, err := os.ReadDir(filepath.Join(v.state(), "work"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(v.state(), "work", e.Name())
		if e.Name() == ".runner" {
			continue // its own
		}
		if !keep[path] {
			v.t.Errorf("directory %s belongs to no failed attempt", path)
		}
		delete(keep, path)
	}
	for path := range keep {
		v.t.Errorf("the directory of a failed attempt is gone: %s", path)
	}
	db, err := sql.Open("sqlite", filepath.Join(v.state(), "latticed.db"))
	if err != nil {
		v.t.Fatal(err)
	}
	defer db.Close()
	for what, q := range map[string]string{
		"attempts that are not over":   "SELECT count(*) FROM attempts WHERE status IN ('running', 'unknown')",
		"electrons that are not over":  "SELECT count(*) FROM electrons WHERE status IN ('running', 'pending')",
		"dispatches that are not over": "SELECT count(*) FROM dispatches WHERE status IN ('running', 'pending')",
		"assets nobody refers to":      "SELECT count(*) FROM assets WHERE refs = 0",
	} {
		var n int
		if err := db.QueryRow(q).Scan(&n); err != nil || n != 0 {
			v.t.Errorf("%d %s (%v)", n, what, err)
		}
	}
	v.checkAssets(db)
}

// checkAssets compares rows and files of assets.
func (v *victim) checkAssets(db *sql.DB) {
	v.t.Helper()
	rows, err := db.Query("SELECT sha256 FROM assets WHERE data IS NULL")
	if err != nil {
		v.t.Fatal(err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for rows.Next() {
		var sum []byte
		if err := rows.Scan(&sum); err != nil {
			v.t.Fatal(err)
		}
		known[hex.EncodeToString(sum)] = true
	}
	if err := rows.Err(); err != nil {
		v.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(v.state(), "assets", "*", "*"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		if !known[name] {
			v.t.Errorf("no row knows the file %s", f)
		}
		delete(known, name)
	}
	for name := range known {
		v.t.Errorf("the file of asset %s is gone", name)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("it doesn't come about that %s", what)
		}
	}
}
