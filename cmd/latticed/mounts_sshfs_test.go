package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// What other hosts write to a file server is found by looking. The server is killed and
// comes back, and hangs: nothing is lost or doubled, others are not held up, and the
// daemon can be stopped. Pain points 4, 5 and 6.
func TestMounts_a_file_server_that_is_killed_and_that_hangs(t *testing.T) {
	w := newWatcher(t, nil)
	s := newFileServer(w)
	s.start()
	s.mount()
	w.watch(map[string]any{"settle": "1s"})
	w.shows("active", "looks every 5s: fuse")
	s.write("1", "2", "3")
	w.write("4") // from here
	w.tells(came("1", "2", "3", "4")...)

	s.kill()
	w.shows("failing", w.dir)
	s.write("5", "6")
	s.must(os.Remove(filepath.Join(s.dir, "1")))
	s.start()
	w.shows("active", "")
	w.tells(append(came("5", "6"), "deleted 1")...)

	local := w.folder("local")
	w.add(map[string]any{"name": "local", "kind": "directory", "lattice": "note", "dir_path": local, "settle": "200ms", "inputs": map[string]any{"what": "${{ event.rel }}"}})
	eventually(t, "the local folder is watched", func() bool { return w.metric("latticed_triggers", `state="active"`) == 2 })
	s.signal(syscall.SIGSTOP)
	looks := w.metric("latticed_folder_looks_total")
	eventually(t, "it looks, and hangs", func() bool { return w.metric("latticed_folder_looks_total") > looks })
	lay(t, filepath.Join(local, "here"), "1")
	eventually(t, "others go on", func() bool { return len(w.of("local")) == 1 })
	// The kernel lets nobody go who waits for such a server, but all else is put down,
	// and the next daemon takes it up.
	old, gone := w.cmd, w.exited
	w.signal(syscall.SIGTERM)
	eventually(t, "the daemon has put everything down", func() bool {
		text, err := os.ReadFile(w.log.Name())
		return err == nil && strings.Contains(string(text), `"room":"store"`)
	})
	s.write("7")
	w.start()
	lay(t, filepath.Join(local, "there"), "1")
	eventually(t, "others go on", func() bool { return len(w.of("local")) == 2 })
	s.signal(syscall.SIGCONT)
	select {
	case <-gone:
		if code := old.ProcessState.ExitCode(); code != 0 {
			t.Errorf("it exited with %d", code)
		}
	case <-time.After(time.Minute):
		t.Error("the old daemon doesn't go")
	}
	w.shows("active", "looks every 5s: fuse")
	w.tells(came("7")...)
	s.write("the end")
	w.tells(came("the end")...)
	w.stop()
}

// fileServer is an sshd of its own, whose folder is mounted at the watched one.
type fileServer struct {
	*watcher
	dir  string // as the server has it
	home string // keys and configuration
	port int
}

func newFileServer(w *watcher) *fileServer {
	w.t.Helper()
	for _, need := range []string{"/usr/sbin/sshd", "/usr/bin/sshfs", "/dev/fuse"} {
		if _, err := os.Stat(need); err != nil || os.Getuid() != 0 {
			cannot(w.t, "a file server needs root, sshd and sshfs (Debian packages openssh-server and sshfs): %v", err)
		}
	}
	s := &fileServer{watcher: w, dir: w.folder("srv"), home: w.folder("ssh")}
	for _, key := range []string{"host", "id"} {
		w.must(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.home, key)).Run())
	}
	key, err := os.ReadFile(filepath.Join(s.home, "id.pub"))
	w.must(err)
	w.must(os.WriteFile(filepath.Join(s.home, "keys"), key, 0o600))
	s.port, err = dbtest.FreePort()
	w.must(err)
	w.must(os.MkdirAll("/run/sshd", 0o755))
	w.must(os.WriteFile(filepath.Join(s.home, "config"), fmt.Appendf(nil, `
Port %d
ListenAddress 127.0.0.1
HostKey %s/host
PidFile none
AuthorizedKeysFile %s/keys
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
`, s.port, s.home, s.home), 0o600))
	w.t.Cleanup(s.kill)
	return s
}

func (s *fileServer) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func (s *fileServer) start() {
	s.t.Helper()
	cmd := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(s.home, "config"))
	cmd.Stderr = s.log
	s.must(cmd.Start())
	go func() { _ = cmd.Wait() }()
	eventually(s.t, "sshd listens", func() bool {
		c, err := net.Dial("tcp", s.address())
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// mount mounts the server's folder as people do, so that it reconnects by itself. On
// busy machines sshfs sometimes logs in and then doesn't go on: it gets more than one try.
func (s *fileServer) mount(options ...string) {
	s.t.Helper()
	before, err := os.Stat(s.watcher.dir)
	s.must(err)
	for range 5 {
		cmd := exec.Command("sshfs", "-f", "root@127.0.0.1:"+s.dir, s.watcher.dir, "-p", strconv.Itoa(s.port), "-o", strings.Join(append([]string{
			"IdentityFile=" + filepath.Join(s.home, "id"), "UserKnownHostsFile=" + filepath.Join(s.home, "known"), "StrictHostKeyChecking=accept-new",
			"BatchMode=yes", "reconnect", "ServerAliveInterval=15", "dir_cache=no",
		}, options...), ","))
		cmd.Stderr = s.log
		s.must(cmd.Start())
		gone := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(gone)
		}()
		for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
			var now os.FileInfo
			if now, err = os.Stat(s.watcher.dir); err == nil && !os.SameFile(before, now) {
				s.t.Cleanup(func() {
					_ = exec.Command("umount", "-l", s.watcher.dir).Run()
					_ = cmd.Process.Kill()
				})
				return
			}
		}
		_ = cmd.Process.Kill()
		<-gone
		_ = exec.Command("umount", "-l", s.watcher.dir).Run()
		s.t.Logf("sshfs doesn't mount (%v)", err)
	}
	s.t.Fatal("sshfs doesn't mount")
}

// processes are those of the server: the one that listens and those of its sessions,
// whose parents lead to it.
func (s *fileServer) processes() (pids []int) {
	config := filepath.Join(s.home, "config")
	servers := map[int]bool{}
	for range 3 { // sessions have children of their own
		s.victim.processes(func(pid int, line []string, _ string) bool {
			if strings.Contains(strings.Join(line, " "), config) || servers[parent(pid)] {
				servers[pid] = true
			}
			return false
		})
	}
	for pid := range servers {
		pids = append(pids, pid)
	}
	return pids
}

func (s *fileServer) signal(sig syscall.Signal) {
	for _, pid := range s.processes() {
		_ = syscall.Kill(pid, sig)
	}
}

// kill ends the server and all its sessions at once.
func (s *fileServer) kill() { s.signal(syscall.SIGKILL) }

// write makes files on the server's side.
func (s *fileServer) write(names ...string) {
	s.t.Helper()
	for _, n := range names {
		lay(s.t, filepath.Join(s.dir, n), n)
	}
}
