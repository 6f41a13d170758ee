// Package docs_test runs every example of the pages for users, and of the README,
// against a real daemon. go test ./docs -update writes what the commands print now
// into the pages.
package docs_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/latticed/latticed/docs/console"
	"github.com/latticed/latticed/executors/executortest"
)

// What the pages show instead of the test's directory, user, zone and port.
const (
	shownPort = "8321"
	shownDir  = "/home/lise/latticed"
	shownUser = "lise"
	shownZone = "Europe/Berlin"
)

var update = flag.Bool("update", false, "write what the commands print into the pages")

// root is where the directories of this run begin: what the pages start names it.
var root = fmt.Sprintf("/tmp/docs%06d", rand.IntN(1e6))

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(nothingLeft)) }

// nothingLeft fails when a page has started processes that outlive its test.
func nothingLeft(code int) {
	dirs, err := filepath.Glob(root + "*")
	if err != nil || len(dirs) > 0 {
		fmt.Fprintln(os.Stderr, "the tests have left directories behind:", dirs, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func TestEveryExampleOfThePagesWorks(t *testing.T) {
	t.Parallel() // most of it is waiting
	bin := build(t)
	for _, page := range []string{
		"lattices.md", "triggers.md", "triggers-time.md", "triggers-directory.md", "http.md", "redispatch.md", "sweeps.md",
		"triggers-database.md", "triggers-webhook.md", "triggers-dispatch.md", "doors.md", "watch.md", "operations.md",
	} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			s := session(t, bin)
			// A reader of these pages has a daemon already.
			out, exit, err := s.Run("latticed serve --state-dir state --socket $LATTICED_SOCKET 2>serve.log & " +
				"until curl -sf --unix-socket $LATTICED_SOCKET http://latticed/readyz >/dev/null; do sleep 0.05; done")
			if err != nil || exit != 0 {
				t.Fatalf("latticed serve: %v, %d\n%s", err, exit, out)
			}
			check(t, s, page)
		})
	}
}

func TestEveryLineOfTheTourWorks(t *testing.T) {
	t.Parallel()
	s := session(t, build(t))
	// The program is built and in the path.
	if out, exit, err := s.Run("make() { test \"$*\" = build; }"); err != nil || exit != 0 {
		t.Fatal(out, err)
	}
	check(t, s, "../README.md")
}

// build builds the daemon and returns the directory it is in.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/latticed", "../cmd/latticed")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// session starts a bash in a directory that looks like a checkout with the examples.
func session(t *testing.T, bin string) *console.Session {
	t.Helper()
	// As long as the directory that the pages show, since tables are cut and aligned.
	dir := fmt.Sprintf("%s%04d", root, rand.IntN(1e4))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the session: its daemon leaves its runner and electrons alone
		if err := errors.Join(executortest.End(dir), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	bash := exec.Command("bash", "--noprofile", "--norc")
	bash.Dir = dir
	bash.Env = []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "USER=" + os.Getenv("USER"), "LANG=C.UTF-8", "TZ=" + shownZone,
		"TMPDIR=" + dir, "LATTICED_SOCKET=" + dir + "/latticed.sock", "XDG_RUNTIME_DIR=" + dir, "PYTHONDONTWRITEBYTECODE=1",
	}
	s, err := console.Start(bash)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		s.Patience = 10 * time.Second // more than anything on the pages takes
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\b` + regexp.QuoteMeta(me.Username) + `\b`)
	port := freePort(t)
	s.Typed = func(text string) string { return strings.ReplaceAll(text, shownPort, port) }
	s.Shown = func(out string) string {
		out = strings.ReplaceAll(strings.ReplaceAll(out, dir, shownDir), ":"+port, ":"+shownPort)
		for n := range dir { // tables cut long values
			if n > len("/tmp/") {
				out = strings.ReplaceAll(out, dir[:n]+"…", shownDir[:n]+"…")
			}
		}
		return name.ReplaceAllString(out, shownUser)
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _, _ := s.Run("tail -q -n 30 serve.log tour/log 2>/dev/null")
			t.Logf("the daemon's log:\n%s", out)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// freePort is one that nobody listens at, below those that the kernel gives to clients.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err != nil {
			continue
		}
		_, port, err := net.SplitHostPort(ln.Addr().String())
		if err := errors.Join(err, ln.Close()); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port is free")
	return ""
}

func check(t *testing.T, s *console.Session, path string) {
	t.Helper()
	if err := s.Play(path, *update); err != nil {
		t.Fatal(err)
	}
}
