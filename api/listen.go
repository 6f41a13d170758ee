package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// maxSocketPath is what the kernel takes.
const maxSocketPath = 107

// Listen opens the Unix socket at path with mode 0660, owned by group when the
// machine has it. A socket that nobody listens at any more is replaced; anything
// else in the way is left alone.
func Listen(path, group string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the path of the socket %s has %d bytes, more than the kernel's %d; choose a shorter one with --socket", path, len(path), maxSocketPath)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the socket: %w", err)
	}
	// It is made in a closed folder and appears at its place when its mode is right: who
	// may not connect never can. A link, unlike a move, takes nobody's place.
	tmp, err := os.MkdirTemp(dir, ".l")
	if err != nil {
		return nil, fmt.Errorf("prepare the socket: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := removeStale(path, filepath.Join(tmp, "old")); err != nil {
		return nil, err
	}
	made := filepath.Join(tmp, "s")
	ln, err := listenIn(tmp, "s")
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	ln.SetUnlinkOnClose(false)
	err = errors.Join(os.Chmod(made, 0o660), chgrp(made, group), os.Link(made, path))
	if errors.Is(err, fs.ErrExist) {
		err = inUse(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen at %s: %w", path, err), ln.Close())
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen at %s: %w", path, err), ln.Close())
	}
	return &socket{Listener: ln, path: path, info: info}, nil
}

// listenIn opens a socket in a folder whose path may be too long for one.
func listenIn(dir, name string) (*net.UnixListener, error) {
	path := filepath.Join(dir, name)
	if len(path) > maxSocketPath {
		d, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		defer func() { _ = d.Close() }()
		path = fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name)
	}
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

// socket removes its name when it is closed, unless another has taken it.
type socket struct {
	net.Listener
	path string
	info fs.FileInfo
}

func (s *socket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.info) {
		_ = os.Remove(s.path)
	}
	return s.Listener.Close()
}

// removeStale moves a socket that nobody listens at to aside.
func removeStale(path, aside string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is in the way and is not a socket; remove it or choose another path with --socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return inUse(path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s is in the way and could not be asked: %w", path, err)
	}
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("remove the socket that an earlier daemon left: %w", err)
	}
	// Somebody else may have done the same, and what was moved is theirs.
	if moved, err := os.Lstat(aside); err != nil || !os.SameFile(info, moved) {
		return errors.Join(inUse(path), os.Link(aside, path))
	}
	return nil
}

func inUse(path string) error {
	return fmt.Errorf("another daemon listens at %s; stop it or choose another path with --socket", path)
}

// chgrp gives the file to a group, if there is one of that name and we may.
func chgrp(path, group string) error {
	if group == "" {
		return nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return nil //nolint:nilerr // no such group: the owner and root are the ones who may connect
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	if err := os.Chown(path, -1, gid); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
