package main

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/latticed/latticed/api/client"
)

// stale leaves a socket that nobody listens at.
func stale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRemedy(t *testing.T) {
	t.Setenv("LATTICED_SOCKET", "")
	t.Setenv("LATTICED_SERVER", "")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	c := &cli{}
	for name, w := range map[string]struct {
		err  error
		want string
	}{
		"not_permitted": {fs.ErrPermission, "you may not use the socket /s: you are not in group latticed; an admin adds you with: usermod -aG latticed "},
		"not_there":     {fs.ErrNotExist, "there is no socket at /run/latticed/latticed.sock or /run/user/7/latticed.sock; start it with: "},
		"stale":         {syscall.ECONNREFUSED, "nobody listens at /s any more; start it with: "},
		"another":       {errors.New("odd"), "the daemon at /s did not answer: odd"},
	} {
		if got := c.remedy(&client.Unreachable{Server: "/s", Err: w.err}); !strings.Contains(got, w.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestRemoteRemedy(t *testing.T) {
	for name, w := range map[string]struct {
		err  error
		want string
	}{
		"nobody_listens": {syscall.ECONNREFUSED, "nobody listens at https://lab:8321: the daemon is not running, or not with --listen"},
		"no_such_name":   {&net.DNSError{Name: "lab", IsNotFound: true}, "no machine is called lab here"},
		"no_name_server": {&net.DNSError{Name: "lab", Err: "odd"}, "did not answer: lookup lab: odd"},
		"unknown_signer": {x509.UnknownAuthorityError{}, "with --ca-file"},
	} {
		how := &client.Unreachable{Server: "https://lab:8321", Err: &url.Error{Op: "Post", URL: "https://lab:8321/v1/hooks/files", Err: w.err}}
		if got := (&cli{}).remedy(how); !strings.Contains(got, w.want) {
			t.Errorf("%s: %s", name, got)
		}
		if got := spokenTrouble(how); !strings.Contains(got, w.want) || strings.Contains(got, "/v1/hooks") {
			t.Errorf("of an agent, %s: %s", name, got)
		}
	}
}

func TestSockets_are_not_looked_for_in_a_folder_of_somebody_else(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir  string
		uid  int
		want bool
	}{
		"ours":         {dir, os.Getuid(), false},
		"of_another":   {dir, os.Getuid() + 1, true},
		"led_astray":   {link, os.Getuid(), true},
		"not_made_yet": {filepath.Join(dir, "none"), os.Getuid(), false},
	} {
		if got := foreign(c.dir, c.uid); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
