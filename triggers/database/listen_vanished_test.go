package database

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// otherMachine is a network of its own, joined to ours by a cable. What listens there
// leads to a server's socket.
func otherMachine(t *testing.T, s *dbtest.Server) (address string, unplug func()) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("only root can make a network")
		}
		t.Skip("only root can make a network")
	}
	name := fmt.Sprintf("lat%d", os.Getpid())
	host, guest := fmt.Sprintf("10.213.%d.1", os.Getpid()%250), fmt.Sprintf("10.213.%d.2", os.Getpid()%250)
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	ip("netns", "add", name)
	t.Cleanup(func() { ip("netns", "del", name) })
	ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
	t.Cleanup(func() { ip("link", "del", name) }) // both ends: the kernel takes its time with the network
	ip("addr", "add", host+"/24", "dev", name)
	ip("link", "set", name, "up")
	ip("-n", name, "addr", "add", guest+"/24", "dev", "eth0")
	ip("-n", name, "link", "set", "eth0", "up")
	socket := filepath.Join(s.Folder, ".s.PGSQL."+strconv.Itoa(s.Port))
	return dbtest.NewForward(t, listenIn(t, name, guest), socket).Address, func() { ip("-n", name, "link", "set", "eth0", "down") }
}

// listenIn listens in another network.
func listenIn(t *testing.T, network, host string) net.Listener {
	t.Helper()
	type result struct {
		net.Listener
		error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		f, err := os.Open("/run/netns/" + network)
		if err == nil {
			err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
			_ = f.Close()
		}
		if err != nil {
			done <- result{nil, err}
			return
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		done <- result{l, err}
	}()
	r := <-done
	if r.error != nil {
		t.Fatal(r.error)
	}
	return r.Listener
}

func TestListen_notices_soon_that_the_machine_has_vanished(t *testing.T) {
	s := dbtest.Postgres(t)
	name, _ := s.Database(t)
	address, unplug := otherMachine(t, s)
	woken, ended, _ := listening(t, s.URLAt(address, dbtest.User, dbtest.Password, name), "runs")
	soon(t, "listening", woken)
	unplug()
	began := time.Now()
	select {
	case err := <-ended:
		if (postgresDialect{}).judge(err) != troubleLost {
			t.Errorf("judged %v: %v", postgresDialect{}.judge(err), err)
		}
	case <-time.After(heartbeat - time.Second):
		t.Fatal("it listens on")
	}
	t.Logf("noticed after %s", time.Since(began).Round(time.Second/10))
}
