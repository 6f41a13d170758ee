package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// daemon is a latticed of its own in a directory of its own.
type daemon struct {
	dir    string
	cmd    *exec.Cmd
	client *http.Client
	log    *os.File
}

// startDaemon starts one on an empty state directory and waits until it is ready.
func startDaemon(ctx context.Context, s settings) (*daemon, error) {
	dir, err := os.MkdirTemp("", "latticed-bench-")
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: dir}
	d.client = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 128,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var nd net.Dialer
			return nd.DialContext(ctx, "unix", d.socket())
		},
	}}
	if d.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	if _, err := d.start(ctx, s.binary); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

func (d *daemon) socket() string { return filepath.Join(d.dir, "s") }

// start runs the binary and returns how long it took until it was ready.
func (d *daemon) start(ctx context.Context, binary string) (time.Duration, error) {
	d.cmd = exec.Command(binary, "serve", "--state-dir", filepath.Join(d.dir, "state"), "--socket", d.socket())
	d.cmd.Stderr, d.cmd.Stdout = d.log, d.log
	d.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+d.dir)
	begin := time.Now()
	if err := d.cmd.Start(); err != nil {
		return 0, err
	}
	for time.Since(begin) < 20*time.Second {
		if r, err := d.client.Get("http://latticed/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return time.Since(begin), nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
	text, _ := os.ReadFile(d.log.Name())
	return 0, fmt.Errorf("the daemon is not ready after 20 s:\n%s", text)
}

// kill ends the daemon at once, as a crash would.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// end stops the daemon; start may start it again.
func (d *daemon) end() {
	_ = d.cmd.Process.Signal(os.Interrupt)
	_ = d.cmd.Wait()
}

// stop ends the daemon and removes its directory; the runner leaves by itself.
func (d *daemon) stop() {
	if d.cmd != nil && d.cmd.Process != nil {
		d.end()
	}
	d.log.Close()
	os.RemoveAll(d.dir)
}

// call sends a request and decodes its answer, which must be a success.
func (d *daemon) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://latticed/v1"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

type dispatch struct {
	ID        string    `json:"id"`
	Status    string    `json:"status"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
}

// finish dispatches a lattice and waits for its end.
func (d *daemon) finish(ctx context.Context, lattice any) (dispatch, error) {
	var got dispatch
	if err := d.call(ctx, "POST", "/dispatches", map[string]any{"lattice": lattice}, &got); err != nil {
		return got, err
	}
	for {
		if err := d.call(ctx, "GET", "/dispatches/"+got.ID+"?wait=30s", nil, &got); err != nil {
			return got, err
		}
		switch got.Status {
		case "completed":
			return got, nil
		case "failed", "cancelled":
			return got, fmt.Errorf("dispatch %s is %s", got.ID, got.Status)
		}
	}
}

// memoryOf reads a field of /proc/PID/smaps_rollup, in bytes.
func memoryOf(pid int, field string) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), field+":"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s for process %d", field, pid)
}

// runnerPid finds the runner of this daemon by its arguments.
func (d *daemon) runnerPid() (int, error) {
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, p := range procs {
		line, err := os.ReadFile(p)
		if err != nil {
			continue // it has ended meanwhile
		}
		if bytes.Contains(line, []byte("\x00runner\x00")) && bytes.Contains(line, []byte(d.dir)) {
			return strconv.Atoi(strings.Split(p, "/")[2])
		}
	}
	return 0, fmt.Errorf("no runner of %s", d.dir)
}
