package api

import (
	"net"
	"os"
	"path/filepath"
	"strings"
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
}
