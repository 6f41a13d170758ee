package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// served runs the daemon within the test until it is stopped.
func served(t *testing.T) (get func(path string) string, stop func() error) {
	t.Helper()
	dir := shortDir(t)
	var cfg Config
	cfg.Paths.StateDir, cfg.Paths.Socket = filepath.Join(dir, "state"), filepath.Join(dir, "s")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, cfg, nil, zerolog.Nop()) }()
	var dialer net.Dialer
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", cfg.Paths.Socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	eventually(t, "serving", func() bool { return exists(cfg.Paths.Socket) })
	get = func(path string) string {
		resp, err := (&http.Client{Transport: transport}).Get("http://latticed" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	return get, func() error { cancel(); transport.CloseIdleConnections(); return <-done }
}

func TestServe_shows_its_rooms_in_the_metrics(t *testing.T) {
	get, stop := served(t)
	if health := get("/healthz"); !strings.Contains(health, `"ok"`) {
		t.Errorf("%s", health)
	}
	text := get("/metrics")
	for _, want := range []string{
		"latticed_dispatches_live 0", `latticed_attempt_slots{executor="local"}`, "latticed_store_commits_total",
		`latticed_dispatches{status="pending"} 0`, `latticed_events{state="held"} 0`, "latticed_events_lag_seconds 0",
		"latticed_http_requests_total", "go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServe_one_failing_step_does_not_skip_the_others(t *testing.T) {
	d := &daemon{log: zerolog.Nop(), failed: make(chan error, 8)}
	stopped := ""
	for _, name := range []string{"first", "second", "third"} {
		d.start(name, func(ctx context.Context) error {
			<-ctx.Done()
			stopped += name + " "
			if name == "second" {
				return errors.New("stuck")
			}
			return nil
		})
	}
	err := d.stop()
	if stopped != "third second first " || err == nil || err.Error() != "stop second: stuck" {
		t.Errorf("%s, %v", stopped, err)
	}
}

func TestServe_ends_when_a_room_ends(t *testing.T) {
	d := &daemon{log: zerolog.Nop(), failed: make(chan error, 8)}
	d.start("dispatcher", func(context.Context) error { return errors.New("broken") })
	if err := <-d.failed; err.Error() != "dispatcher ended: broken" {
		t.Error(err)
	}
	if err := d.stop(); err == nil {
		t.Error("nobody was told")
	}
}
