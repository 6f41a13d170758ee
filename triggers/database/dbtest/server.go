// Package dbtest gives tests real PostgreSQL and MariaDB servers, on ports of their own
// and with their data in temporary folders. A server can be killed, started again and cut
// off, and a test that ends leaves nothing of it behind.
//
// Each server has one goroutine, which waits for its process; Stop waits for it. A test
// binary that uses Shared servers runs its tests through Main, which stops them.
package dbtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// User and Password are those of every server. The password has every character that
// has to be written otherwise in a URL, and stands in no message by chance.
const (
	User     = "lab"
	Password = `Se5ame/open?#@:%41+'"\ ü`
)

// ready bounds how long a server may take to answer, on a machine with other work.
const ready = time.Minute

// Server is a database server of this test.
type Server struct {
	Host   string // 127.0.0.1
	Port   int
	Folder string // holds the data, the socket and the log

	engine  engine
	options []string // of the program, beyond the usual ones
	proc    *process // nil: stopped
	names   atomic.Int64
}

// engine is what differs between the servers.
type engine struct {
	name    string // of the folder and of test messages
	pack    string // the Debian package
	account string // who runs it when we are root
	scheme  string // of URLs
	driver  string // of database/sql
	root    string // the database that is there from the start
	tools   []string
	prepare func(folder string, run func(program string, args ...string) error) error
	command func(s *Server) (program string, args []string)
	gentle  syscall.Signal // ends the server without waiting for its clients
	tls     func(authority, certificate, key string) (options []string)
	source  func(s *Server, user, password, database string) string
}

// start makes a folder with the data of a new server and starts it.
func start(e engine) (*Server, error) {
	data, err := template(e)
	if err != nil {
		return nil, err
	}
	folder, err := e.folder()
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", Folder: folder, engine: e}
	if out, err := exec.Command("cp", "-a", data, filepath.Join(folder, "data")).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the data: %w: %s", err, out), os.RemoveAll(folder))
	}
	if s.Port, err = FreePort(); err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// folder makes an empty folder that belongs to who runs the server. Paths of sockets
// are short, so it is not one of the test's.
func (e engine) folder() (string, error) {
	folder, err := os.MkdirTemp("", fmt.Sprintf("%s%d-%s-", folderPrefix, os.Getpid(), e.name))
	if err != nil {
		return "", err
	}
	uid, gid, err := e.ids()
	if err == nil && uid >= 0 {
		err = os.Chown(folder, uid, gid)
	}
	if err == nil {
		err = os.Chmod(folder, 0o755) //nolint:gosec // its clients reach the socket
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(folder))
	}
	return folder, nil
}

// ids are the user and group that a server runs as; -1 as we do, since we are not root.
func (e engine) ids() (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return -1, -1, nil
	}
	u, err := user.Lookup(e.account)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	return uid, gid, err
}

// attributes make a program run as the server's user, and end with us.
func (e engine) attributes() (*syscall.SysProcAttr, error) {
	uid, gid, err := e.ids()
	if err != nil {
		return nil, err
	}
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if uid >= 0 {
		a.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // of the system's own list
	}
	return a, nil
}

// process is one life of a server.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
}

// start starts the server and waits until it answers.
func (s *Server) start() error {
	deadline := time.Now().Add(ready)
	for {
		p, err := s.launch()
		if err != nil {
			return err
		}
		s.proc = p
		if s.answers(p, deadline) {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("%s does not answer:\n%s", s.engine.name, s.Log()), s.end(syscall.SIGKILL))
		}
		// It left at once: what its killed predecessor held (memory, a lock) isn't free yet.
		<-p.done
		s.proc = nil
		pause(50 * time.Millisecond)
	}
}

// launch starts the process. The thread that does stays, since the kernel ends the
// process together with it.
func (s *Server) launch() (*process, error) {
	attributes, err := s.engine.attributes()
	if err != nil {
		return nil, err
	}
	program, args := s.engine.command(s)
	args = append(args, s.options...)
	log, err := os.OpenFile(filepath.Join(s.Folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...) //nolint:gosec // ours
	cmd.SysProcAttr, cmd.Stdout, cmd.Stderr, cmd.Dir = attributes, log, log, s.Folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "TZ=UTC", "HOME=" + s.Folder}
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := errors.Join(cmd.Start(), log.Close())
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}()
	return p, <-started
}

// answers waits until a statement is answered; false when the process is gone or the
// deadline is.
func (s *Server) answers(p *process, deadline time.Time) bool {
	db, err := sql.Open(s.engine.driver, s.engine.source(s, User, Password, s.engine.root))
	if err != nil {
		return false
	}
	defer func() { _ = db.Close() }()
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := db.PingContext(ctx)
		cancel()
		if err == nil {
			return true
		}
		select {
		case <-p.done:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

// end sends a signal to the server (SIGKILL: to its children too) and waits until
// nothing of it is left.
func (s *Server) end(signal syscall.Signal) error {
	p := s.proc
	if p == nil {
		return nil
	}
	children := childrenOf(p.pid)
	if err := syscall.Kill(p.pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	if signal == syscall.SIGKILL {
		for _, pid := range children {
			_ = syscall.Kill(pid, signal) // gone already: as it should be
		}
	}
	select {
	case <-p.done:
	case <-time.After(ready / 2):
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.done
	}
	for _, pid := range children {
		for range 500 {
			if syscall.Kill(pid, 0) != nil {
				break
			}
			pause(10 * time.Millisecond)
		}
	}
	s.proc = nil
	return nil
}

// remove stops the server and removes its folder.
func (s *Server) remove() error {
	return errors.Join(s.end(s.engine.gentle), os.RemoveAll(s.Folder))
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.end(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server as an administrator does, who doesn't wait for its clients.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.end(s.engine.gentle); err != nil {
		t.Fatal(err)
	}
}

// Start starts a server again that was killed or stopped, on the same port with the same
// data, and returns when it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Suspend makes the server stand still, as if its machine hung: connections are taken by
// the kernel and never answered. resume ends that.
func (s *Server) Suspend(t testing.TB) (resume func()) {
	t.Helper()
	pids := append(childrenOf(s.proc.pid), s.proc.pid)
	send := func(signal syscall.Signal) {
		for _, pid := range pids {
			_ = syscall.Kill(pid, signal) // a child may have ended
		}
	}
	send(syscall.SIGSTOP)
	var once sync.Once
	resume = func() { once.Do(func() { send(syscall.SIGCONT) }) }
	t.Cleanup(resume)
	return resume
}

// Log is the end of what the server has written to its log.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.Folder, "log"))
	if err != nil {
		return err.Error()
	}
	const most = 4 << 10
	return string(bytes.ToValidUTF8(text[max(0, len(text)-most):], []byte("?")))
}

// pause waits for something outside of this process that can't be waited for otherwise.
func pause(d time.Duration) { <-time.After(d) }
