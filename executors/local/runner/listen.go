package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listen takes the socket that systemd hands over, or makes one. Whoever holds the
// lock of the state directory may replace what is at the path.
func (o *Options) listen() (*net.UnixListener, error) {
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) && os.Getenv("LISTEN_FDS") != "" {
		return activated()
	}
	path, err := o.SocketPath(o.Protocol)
	if err != nil {
		return nil, err
	}
	// A runtime directory that was named is made by who named it. When it is gone, so
	// are they: a runner that comes too late must not leave another one behind.
	if o.RuntimeDir == "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("folder of the socket: %w", err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("stale socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// Who may talk is decided by who they are, not by the mode of a file; but where
	// nobody else may, the file says so too.
	mode := os.FileMode(0o600)
	if o.UID != 0 || o.GID != 0 {
		mode = 0o666
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func activated() (*net.UnixListener, error) {
	const first = 3 // by the convention of systemd
	syscall.CloseOnExec(first)
	f := os.NewFile(first, "socket of systemd")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("socket of systemd: %w", err)
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		_ = l.Close()
		return nil, fmt.Errorf("socket of systemd: %s is no Unix socket", l.Addr())
	}
	return u, nil
}

const acceptAgain = 100 * time.Millisecond

// acceptAll serves every daemon that may talk to this runner until l is closed.
func (r *runner) acceptAll(l *net.UnixListener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors left, most likely: that takes a while
			r.log.Error().Err(err).Msg("accept")
			time.Sleep(acceptAgain)
			continue
		}
		if err := r.allowed(c); err != nil {
			r.log.Warn().Err(err).Msg("connection refused")
			_ = c.Close()
			continue
		}
		wg.Go(func() { r.serve(c) })
	}
}

// allowed checks who is at the other end: the runner's own user, root, or the
// configured user or group of the daemon.
func (r *runner) allowed(c *net.UnixConn) error {
	cred, err := Peer(c)
	if err != nil {
		return err
	}
	return r.o.permit(int(cred.Uid), int(cred.Gid), os.Getuid())
}

func (o *Options) permit(uid, gid, own int) error {
	if uid == own || uid == 0 || o.UID != 0 && uid == o.UID || o.GID != 0 && gid == o.GID {
		return nil
	}
	return fmt.Errorf("user %d (group %d) is neither the runner's own nor the daemon's", uid, gid)
}

// Peer tells who is at the other end of a Unix socket.
func Peer(c *net.UnixConn) (*unix.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var inner error
	if err := raw.Control(func(fd uintptr) {
		cred, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return cred, inner
}

// hungUp tells whether err is the usual end of a connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) || errors.Is(err, context.Canceled)
}
