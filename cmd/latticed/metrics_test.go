package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/api/client"
)

// Pain points 34 and 36: what waits, what is dead and what is late can be seen without
// asking for each trigger.
func TestMetrics_tell_what_waits_and_what_is_silent(t *testing.T) {
	dir := shortDir(t)
	var cfg Config
	cfg.Paths.StateDir, cfg.Paths.Socket = filepath.Join(dir, "state"), filepath.Join(dir, "s")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, cfg, nil, zerolog.Nop()) }()
	eventually(t, "serving", func() bool { return exists(cfg.Paths.Socket) })
	c := client.New(cfg.Paths.Socket)
	defer c.Close()
	incoming := t.TempDir()
	if _, err := c.StoreLattice(t.Context(), []byte(`{"lattice": "l", "electrons": {"e": {"run": ["true"]}}}`)); err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{
		fmt.Sprintf(`{"name": "held", "kind": "directory", "lattice": "l", "dir_path": %q, "event_names": ["closed"]}`, incoming),
		`{"name": "silent", "kind": "time", "lattice": "l", "every": "1h", "expect_every": "1s"}`,
	} {
		if _, err := c.CreateTrigger(t.Context(), json.RawMessage(spec)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.PauseTrigger(t.Context(), "held"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(incoming, "x"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	scrape := func() string {
		var d net.Dialer
		tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", cfg.Paths.Socket)
		}}
		resp, err := (&http.Client{Transport: tr}).Get("http://latticed/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, want := range []string{
		`latticed_events_held{reason="paused"} 1`,
		"latticed_triggers_silent 1", "latticed_triggers_looping 0", "latticed_events_dead_total 0",
		`latticed_triggers{kind="directory",state="paused"} 1`, `latticed_triggers{kind="time",state="failing"} 1`,
	} {
		eventually(t, want, func() bool { return strings.Contains(scrape(), want) })
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
