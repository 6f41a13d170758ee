package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// lab is a daemon that listens over TCP, with a webhook that runs a lattice for each
// file that comes, and a token for it.
type lab struct {
	*victim
	addr  string // of the daemon
	in    string // the folder on "the other machine"
	token string // a file
}

// freeAddress is one where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := dbtest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

func newLab(t *testing.T) *lab { return newLabOn(t, newVictim(t)) }

func newLabOn(t *testing.T, v *victim) *lab {
	t.Helper()
	l := &lab{victim: v, addr: freeAddress(t)}
	l.in, l.token = filepath.Join(l.dir, "in"), filepath.Join(l.dir, "token")
	l.args = []string{"--listen", l.addr}
	if err := os.Mkdir(l.in, 0o755); err != nil {
		t.Fatal(err)
	}
	l.start()
	var ignored json.RawMessage
	l.call(http.MethodPost, "/lattices", map[string]any{
		"lattice": "file", "inputs": map[string]any{"path": map[string]any{"type": "string"}, "from": map[string]any{"type": "string"}},
		"electrons": map[string]any{"a": map[string]any{"bash": "true"}},
	}, &ignored)
	l.call(http.MethodPost, "/triggers", map[string]any{
		"name": "files", "kind": "webhook", "lattice": "file", "tokens": true, "accept_rate": "10000/1s", "max_in_flight": 100,
		"inputs": map[string]any{"path": "${{ event.path ?? '' }}", "from": "${{ event.body.path ?? event.body.rel }}"},
	}, &ignored)
	l.newToken("pc")
	return l
}

// newToken makes a token and puts it where the agent reads it.
func (l *lab) newToken(name string) (id string) {
	l.t.Helper()
	var made struct{ ID, Token string }
	l.call(http.MethodPost, "/tokens", map[string]any{"name": name, "role": "source", "trigger": "files"}, &made)
	if err := os.WriteFile(l.token, []byte(made.Token+"\n"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return made.ID
}

func (l *lab) spool() string { return filepath.Join(l.dir, "spool") }

// words are the arguments of the agent.
func (l *lab) words(more ...string) []string {
	return append([]string{
		"watch", l.in, "--server", "http://" + l.addr, "--token-file", l.token, "--trigger", "files", "--spool", l.spool(),
		"--settle", "100ms", "--existing", "fire", "--recursive", "--upload",
	}, more...)
}

// agent is the real program on the other machine.
type agent struct {
	l      *lab
	cmd    *exec.Cmd
	exited chan struct{}
}

func (l *lab) agent(more ...string) *agent {
	l.t.Helper()
	a := &agent{l: l, exited: make(chan struct{})}
	a.cmd = exec.Command(l.binary, l.words(more...)...)
	a.cmd.Stderr, a.cmd.Stdout = l.log, l.log
	if err := a.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() {
		_ = a.cmd.Wait()
		close(a.exited)
	}()
	l.t.Cleanup(a.kill)
	return a
}

func (a *agent) kill() {
	_ = a.cmd.Process.Kill()
	<-a.exited
}

// made is a file of the other machine, by its name below the folder.
type made map[string][]byte

// make writes n files of all sizes into folders, a few at a time.
func (l *lab) make(n int) (wait func() made) {
	files := made{}
	for i := range n {
		content := make([]byte, rand.N(1<<rand.N(19)))
		copy(content, fmt.Sprintf("%d;", i))
		files[fmt.Sprintf("run %d/-scan %03d'$(id)\n\".tif", i%7, i)] = content
	}
	done := make(chan error, 1)
	go func() {
		for name, content := range files {
			path := filepath.Join(l.in, name)
			err := os.MkdirAll(filepath.Dir(path), 0o755)
			if err == nil {
				err = os.WriteFile(path, content, 0o644)
			}
			if err != nil {
				done <- err
				return
			}
			time.Sleep(rand.N(20 * time.Millisecond))
		}
		done <- nil
	}()
	return func() made {
		if err := <-done; err != nil {
			l.t.Error(err)
		}
		return files
	}
}

// arrived are the dispatches by the path of the file on the other machine.
func (l *lab) arrived() map[string][]string {
	type one struct{ Inputs struct{ Path, From string } }
	by := map[string][]string{}
	for _, d := range everything[one](l.victim, "/dispatches?") {
		by[d.Inputs.From] = append(by[d.Inputs.From], d.Inputs.Path)
	}
	return by
}

// check waits until each file has its dispatch, and its copy here.
func (l *lab) check(files made) {
	l.t.Helper()
	eventually(l.t, "every file has its dispatch", func() bool { return len(l.arrived()) >= len(files) })
	by := l.arrived()
	for name, content := range files {
		paths := by[filepath.Join(l.in, name)]
		if len(paths) != 1 {
			l.t.Errorf("%q was dispatched %d times", name, len(paths))
			continue
		}
		if want := filepath.Join(l.state(), "incoming", "files", name); paths[0] != want {
			l.t.Errorf("%q arrived as %q", name, paths[0])
		}
		got, err := os.ReadFile(paths[0])
		if err != nil || !bytes.Equal(got, content) {
			l.t.Errorf("%q has other bytes: %v", name, err)
		}
	}
	if len(by) != len(files) {
		l.t.Errorf("%d files made dispatches of %d", len(files), len(by))
	}
	if n := len(everything[json.RawMessage](l.victim, "/triggers/files/events?")); n != len(files) {
		l.t.Errorf("%d files made %d events", len(files), n)
	}
}

// count is how many files are below a folder of the state directory.
func (l *lab) below(name string) (n int) {
	l.t.Helper()
	err := filepath.WalkDir(filepath.Join(l.state(), name), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// logged tells whether the log of either end has a text.
func (l *lab) logged(part string) bool {
	l.t.Helper()
	text, err := os.ReadFile(l.log.Name())
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.Contains(string(text), part)
}

// Both ends are killed at random moments while files come: each of them arrives once,
// and has one event and one dispatch.
func TestWatch_and_daemon_are_killed_and_each_file_has_one_dispatch(t *testing.T) {
	const files, kills = 240, 24
	l := newLab(t)
	a := l.agent()
	wait := l.make(files)
	for i := range kills {
		time.Sleep(rand.N(200 * time.Millisecond))
		switch i % 3 {
		case 0:
			l.kill()
			time.Sleep(rand.N(100 * time.Millisecond))
			l.start()
		case 1:
			a.kill()
			a = l.agent()
		default:
			l.kill()
			a.kill()
			a = l.agent()
			l.start()
		}
	}
	all := wait()
	l.check(all)
	if n := l.below("incoming"); n != len(all) {
		t.Errorf("%d files are in the incoming folder, want %d", n, len(all))
	}
	for _, rest := range []string{"uploads", "assets"} {
		if n := l.below(rest); n > 0 {
			t.Errorf("%d files are left in %s", n, rest)
		}
	}
	if l.logged(`"level":"error"`) {
		t.Error("the log has errors")
	}
	l.stop()
}
