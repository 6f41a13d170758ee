package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors/local/runner"
)

// manager stands for systemd: it hears what the daemon says.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func listenNotify(t *testing.T, name string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{t, conn}
}

// hear waits for a message that begins like want.
func (m *manager) hear(want string) {
	m.t.Helper()
	buf := make([]byte, 4096)
	_ = m.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			m.t.Fatalf("never said %s: %v", want, err)
		}
		if strings.HasPrefix(string(buf[:n]), want) {
			return
		}
	}
}

func TestNotify_tells_systemd_how_it_is(t *testing.T) {
	dir := shortDir(t)
	for name, socket := range map[string]string{
		"by_path":  filepath.Join(dir, "notify"),
		"abstract": fmt.Sprintf("@latticed-test-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			m := listenNotify(t, socket)
			dir := shortDir(t)
			cmd := exec.Command(binary(t), "serve", "--state-dir", filepath.Join(dir, "state"), "--socket", filepath.Join(dir, "s"))
			cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=300000")
			var log bytes.Buffer
			cmd.Stderr = &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stopped := sync.OnceValue(cmd.Wait)
			defer func() { _ = cmd.Process.Kill(); _ = stopped() }()
			m.hear("READY=1\nSTATUS=serving at " + filepath.Join(dir, "s"))
			if c, err := net.Dial("unix", filepath.Join(dir, "s")); err != nil {
				t.Errorf("it said READY before it listened: %v", err)
			} else {
				c.Close()
			}
			m.hear("WATCHDOG=1")
			m.hear("WATCHDOG=1")
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			m.hear("STOPPING=1")
			if err := stopped(); err != nil {
				t.Errorf("%v\n%s", err, log.String())
			}
			wantInOrder(t, log.String(), `"room":"api"`, `"room":"triggers"`, `"room":"dispatcher"`, `"room":"local executor"`, `"room":"store"`)
		})
	}
}

func wantInOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			t.Errorf("%s is not where it should be in\n%s", p, text)
			return
		}
		rest = after
	}
}

func TestNotify_the_watchdog_starves_when_the_loop_does_not_turn(t *testing.T) {
	m := listenNotify(t, filepath.Join(shortDir(t), "notify"))
	t.Setenv("NOTIFY_SOCKET", m.conn.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "30000")
	// Nobody calls Run: its loop does not turn.
	d := &daemon{log: zerolog.Nop(), dispatcher: dispatcher.New(nil, nil, dispatcher.Options{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := d.feedWatchdog(ctx)
	_ = m.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := m.conn.Read(make([]byte, 100)); err == nil {
		t.Errorf("it was fed %d bytes", n)
	}
	cancel()
	<-done
}

func TestServe_a_room_that_fails_ends_a_watched_daemon(t *testing.T) {
	m := listenNotify(t, filepath.Join(shortDir(t), "notify"))
	t.Setenv("NOTIFY_SOCKET", m.conn.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "3000000")
	d := &daemon{log: zerolog.Nop(), failed: make(chan error, 8)}
	done := make(chan error, 1)
	go func() { done <- d.live(t.Context()) }()
	d.start("api", func(context.Context) error { return nil })
	select {
	case err := <-done:
		if err == nil || err.Error() != "api ended: nobody told it to" {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on without the room")
	}
	m.hear("STOPPING=1")
}

func TestAlive_asks_every_loop(t *testing.T) {
	dir := shortDir(t)
	var cfg Config
	cfg.Paths.StateDir, cfg.Paths.Socket = filepath.Join(dir, "state"), filepath.Join(dir, "s")
	d := &daemon{log: zerolog.Nop(), failed: make(chan error, 8)}
	if err := d.open(t.Context(), cfg, zerolog.Nop(), runner.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, begun := range []struct {
		room string
		run  func(context.Context) error
		want string
	}{
		{"dispatcher", d.dispatcher.Run, "the dispatcher's loop does not turn"},
		{"triggers", d.triggers.Run, "the manager of triggers does not turn"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := d.alive(ctx); err == nil || !strings.Contains(err.Error(), begun.want) {
			t.Errorf("%v, want %s", err, begun.want)
		}
		cancel()
		d.start(begun.room, begun.run)
	}
	if err := d.alive(t.Context()); err != nil {
		t.Error(err)
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.alive(t.Context()); err == nil || !strings.Contains(err.Error(), "the store's writer does not turn") {
		t.Errorf("%v", err)
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	if err := d.listener.Close(); err != nil {
		t.Error(err)
	}
}

func TestServe_can_be_stopped_at_any_moment_of_its_start(t *testing.T) {
	bin := binary(t)
	for _, after := range []int{0, 5, 10, 15, 20, 30, 40, 60, 90} {
		dir := shortDir(t)
		cmd := exec.Command(bin, "serve", "--state-dir", filepath.Join(dir, "state"), "--socket", filepath.Join(dir, "s"))
		var log bytes.Buffer
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(after) * time.Millisecond)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		kill.Stop()
		byTerm := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM // before there was any Go to hear it
		if err != nil && !byTerm {
			t.Errorf("after %d ms: %v\n%s", after, err, log.String())
		}
		if exists(filepath.Join(dir, "s")) {
			t.Errorf("after %d ms: it left its socket", after)
		}
	}
}
