package api

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestListen(t *testing.T) {
	t.Run("only_owner_and_group_may_connect", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "deep", "s")
		ln, err := Listen(path, "no-such-group")
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("%v %v", info, err)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(entries) != 1 {
			t.Errorf("something is left: %v", entries)
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Error("the socket is still there")
		}
	})
	t.Run("a_stale_socket_is_replaced", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		dead.Close()
		ln, err := Listen(path, "")
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
	})
	t.Run("a_living_daemon_is_left_alone", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		ln, err := Listen(path, "")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if _, err := Listen(path, ""); err == nil || !strings.Contains(err.Error(), "another daemon listens at "+path) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a_file_in_the_way_is_left_alone", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(path, ""); err == nil || !strings.Contains(err.Error(), "is not a socket") {
			t.Errorf("%v", err)
		}
		if b, _ := os.ReadFile(path); string(b) != "mine" {
			t.Error("it was touched")
		}
	})
	t.Run("a_path_that_is_too_long_is_explained", func(t *testing.T) {
		if _, err := Listen("/tmp/"+strings.Repeat("x", 110), ""); err == nil || !strings.Contains(err.Error(), "more than the kernel's 107") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a_path_that_just_fits_is_enough", func(t *testing.T) {
		dir := filepath.Join(shortDir(t), strings.Repeat("d", 80))
		path := filepath.Join(dir, strings.Repeat("s", maxSocketPath-len(dir)-1))
		ln, err := Listen(path, "")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if short, err := Listen(filepath.Join(dir+strings.Repeat("d", 7), "s"), ""); err != nil {
			t.Errorf("a long folder with a short name: %v", err)
		} else {
			short.Close()
		}
	})
	t.Run("a_successor_keeps_its_socket", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		old, err := Listen(path, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		successor, err := Listen(path, "")
		if err != nil {
			t.Fatal(err)
		}
		defer successor.Close()
		old.Close()
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("the old one took it away: %v", err)
		}
	})
	t.Run("of_those_who_start_at_once_one_listens", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "s")
		var wg sync.WaitGroup
		var listening atomic.Int32
		for range 16 {
			wg.Go(func() {
				ln, err := Listen(path, "")
				if err == nil {
					listening.Add(1)
					t.Cleanup(func() { ln.Close() })
				}
			})
		}
		wg.Wait()
		if n := listening.Load(); n != 1 {
			t.Errorf("%d listen", n)
		}
	})
	t.Run("whoever_is_neither_owner_nor_in_the_group_is_kept_out", func(t *testing.T) {
		needRoot(t)
		dir := shortDir(t)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "s")
		ln, err := Listen(path, "daemon")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		const refused, connected = 7, 28 // of curl, which waits for an answer in vain
		for groups, want := range map[string]int{"--clear-groups": refused, "--groups=daemon": connected} {
			curl := exec.Command("setpriv", "--reuid=nobody", "--regid=nogroup", groups, "curl", "-sS", "--max-time", "0.2", "--unix-socket", path, "http://x/")
			if out, err := curl.CombinedOutput(); curl.ProcessState.ExitCode() != want {
				t.Errorf("%s: %v %s", groups, err, out)
			}
		}
	})
}

func TestPrincipal_is_the_user_at_the_other_end(t *testing.T) {
	needRoot(t)
	h := newHouse(t)
	if err := errors.Join(os.Chmod(filepath.Dir(h.socket), 0o755), os.Chmod(h.socket, 0o666)); err != nil {
		t.Fatal(err)
	}
	as := func(uid, path string, more ...string) string {
		words := append([]string{"--reuid=" + uid, "--regid=65534", "--clear-groups", "curl", "-sS", "--unix-socket", h.socket, "http://x" + path}, more...)
		out, err := exec.Command("setpriv", words...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		return string(out)
	}
	if out := as("nobody", "/v1/whoami"); !strings.Contains(out, `"name":"nobody","uid":65534,"gid":65534,"via":"unix"`) {
		t.Error(out)
	}
	if out := as("54321", "/v1/whoami"); !strings.Contains(out, `"name":"54321","uid":54321`) {
		t.Error(out)
	}
	as("nobody", "/v1/dispatches", "-HContent-Type: application/json", "-HIdempotency-Key: k", "-d", `{"lattice": `+one("say")+`}`)
	mine := h.do("POST /v1/dispatches", "Idempotency-Key: k", `{"lattice": `+one("say")+`}`).want(201)
	if mine.field("number") != 2.0 || h.do("GET /v1/dispatches/1").want(200).text("owner") != "nobody" {
		t.Errorf("keys belong to who sent them: %s", mine.body)
	}
}

// needRoot skips what only root can try, as somebody else; where all is checked (CI is
// set) that is a failure.
func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Getuid() == 0:
	case os.Getenv("CI") != "":
		t.Fatal("not root: this can't be tried as somebody else")
	default:
		t.Skip("only root can try this as somebody else")
	}
}
