package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
)

// respawn is how long a runner may take to answer before another is started; the one
// that doesn't get the lock leaves.
const respawn = 300 * time.Millisecond

var errClosed = errors.New("the executor is closed")

// link returns the connection to the runner of our protocol. It starts a runner when
// none answers.
func (e *Executor) link(ctx context.Context) (*link, error) {
	if l := e.linked(e.o.Runner.Protocol); l != nil {
		return l, nil
	}
	e.dialing.Lock()
	defer e.dialing.Unlock()
	ctx, stop := patience(ctx, e.o.Connect)
	defer stop()
	began, spawned := time.Now(), time.Time{}
	for {
		l, err := e.dialLocked(ctx, e.o.Runner.Protocol)
		if err == nil || !nobodyThere(err) && !errors.Is(err, context.DeadlineExceeded) {
			return l, err
		}
		if e.o.Socket == "" && ctx.Err() == nil && time.Since(spawned) > respawn {
			spawned = time.Now()
			if err := e.spawn(ctx); err != nil && ctx.Err() == nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no runner answers: %w%s", err, e.lastWords(began))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// patience limits how long to wait for a runner. A cancelled attempt has to be ended
// as well, so only leaving cuts it short.
func patience(ctx context.Context, limit time.Duration) (context.Context, func()) {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), executors.ErrDetached) {
			cancel()
		}
	})
	return out, func() { stop(); cancel() }
}

// nobodyThere tells whether err may be cured by starting a runner: no socket, nobody
// behind it, or a runner that was just leaving.
func nobodyThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, errLeaving)
}

var (
	errLeaving = errors.New("the runner hung up at once")
	errNotOurs = errors.New("it is another one than was asked for")
)

// linked returns a connection that is up.
func (e *Executor) linked(protocol int) *link {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.links[protocol]
	if l == nil {
		return nil
	}
	select {
	case <-l.done:
		delete(e.links, protocol)
		return nil
	default:
		return l
	}
}

// dial connects to the runner of a protocol if one is there.
func (e *Executor) dial(ctx context.Context, protocol int) (*link, error) {
	e.dialing.Lock()
	defer e.dialing.Unlock()
	ctx, stop := patience(ctx, e.o.Connect)
	defer stop()
	return e.dialLocked(ctx, protocol)
}

func (e *Executor) dialLocked(ctx context.Context, protocol int) (*link, error) {
	if l := e.linked(protocol); l != nil {
		return l, nil
	}
	path, err := e.o.Runner.SocketPath(protocol)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connect to the runner: %w", err)
	}
	c := raw.(*net.UnixConn) //nolint:forcetypeassert // the network is "unix"
	if err := e.trust(c, path); err != nil {
		_ = c.Close()
		return nil, err
	}
	conn := runner.NewConn(c)
	deadline, _ := ctx.Deadline()
	_ = c.SetReadDeadline(deadline) // a connected socket takes it
	m, fds, err := conn.Receive()
	runner.CloseAll(fds)
	if err == nil {
		err = e.fits(m, protocol)
	} else if !errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%w: %w", errLeaving, err)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("the runner at %s: %w", path, err)
	}
	_ = c.SetReadDeadline(time.Time{})
	return e.adopt(newLink(e, conn, m.(*runner.Hello)), protocol)
}

// fits tells what keeps a runner that has said m from being ours.
func (e *Executor) fits(m runner.Message, protocol int) error {
	h, ok := m.(*runner.Hello)
	switch {
	case !ok:
		return fmt.Errorf("it says something else than hello: %w", errNotOurs)
	case h.Protocol != int64(protocol):
		return fmt.Errorf("it speaks protocol %d, this program asks for %d; end it when its attempts are done: %w", h.Protocol, protocol, errNotOurs)
	case h.BootID != e.boot:
		return fmt.Errorf("it was started in boot %s of a machine, this program runs in boot %s: %w", h.BootID, e.boot, errNotOurs)
	}
	if work := runner.WorkDir(e.o.StateDir); h.WorkDir != work && !sameDir(h.WorkDir, work) {
		return fmt.Errorf("it works in %s, this program's attempts belong to %s: %w", h.WorkDir, work, errNotOurs)
	}
	return nil
}

func sameDir(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// adopt makes l the connection of its protocol.
func (e *Executor) adopt(l *link, protocol int) (*link, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		l.conn.Close()
		return nil, errClosed
	}
	e.links[protocol] = l
	e.wg.Go(func() {
		l.read()
		e.mu.Lock()
		delete(e.retired, l)
		e.mu.Unlock()
	})
	sent := slices.Clone(e.sent)
	e.mu.Unlock()
	l.releaseAgain(sent)
	return l, nil
}

// leaveOld hangs up on the runner of another protocol once nothing of ours is there,
// so that it can leave.
func (e *Executor) leaveOld(l *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) == 0 {
		l.conn.Close()
	}
}

// retire asks nothing more of a runner whose state directory was taken from below it,
// and hangs up when the attempts that it has have ended. The next one to be asked is
// another.
func (e *Executor) retire(l *link) {
	e.mu.Lock()
	for protocol, o := range e.links {
		if o == l {
			delete(e.links, protocol)
			e.retired[l] = struct{}{}
		}
	}
	e.mu.Unlock()
	l.left.Store(true)
	e.leaveOld(l)
}

// trust makes sure that nobody else has put a socket there.
func (e *Executor) trust(c *net.UnixConn, path string) error {
	cred, err := runner.Peer(c)
	if err != nil {
		return err
	}
	uid := int(cred.Uid)
	if uid == os.Getuid() || uid == 0 || uid == e.o.RunnerUID || e.o.RunnerUID < 0 {
		return nil
	}
	return fmt.Errorf("the runner at %s belongs to user %d, who is not trusted with attempts", path, uid)
}

// lastWords is what runners in the background have said since a moment, if anything.
func (e *Executor) lastWords(since time.Time) string {
	path := runner.LogPath(e.o.StateDir)
	info, err := os.Stat(path)
	if err != nil || info.ModTime().Before(since.Add(-time.Second)) { // file times are coarse
		return ""
	}
	b, err := os.ReadFile(path)
	b = bytes.TrimSpace(b)
	if err != nil || len(b) == 0 {
		return ""
	}
	return fmt.Sprintf(" (its log %s ends: %s)", path, b[bytes.LastIndexByte(b, '\n')+1:])
}

// spawn starts a runner in the background. When two do so at once, one of the runners
// gets the lock and the other leaves.
func (e *Executor) spawn(ctx context.Context) error {
	o := e.o.Runner
	o.Detach = true
	cmd := exec.CommandContext(ctx, e.o.Binary, append([]string{"runner"}, o.Args()...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("start a runner (%s runner): %w: %s", e.o.Binary, err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
