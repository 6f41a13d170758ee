package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	case <-time.After(patience):
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
	for begun := time.Now(); time.Since(begun) < 2*patience; {
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

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("it doesn't come about that %s", what)
		}
	}
}
