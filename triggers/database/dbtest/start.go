package dbtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Postgres starts a PostgreSQL server for this test alone, which may kill it.
func Postgres(t testing.TB) *Server { t.Helper(); return own(t, postgres()) }

// MariaDB starts a MariaDB server for this test alone, which may kill it.
func MariaDB(t testing.TB) *Server { t.Helper(); return own(t, mariadb()) }

// SharedPostgres is the PostgreSQL server of all tests that only make databases on it.
func SharedPostgres(t testing.TB) *Server { t.Helper(); return shared(t, postgres()) }

// SharedMariaDB is the MariaDB server of all tests that only make databases on it.
func SharedMariaDB(t testing.TB) *Server { t.Helper(); return shared(t, mariadb()) }

func own(t testing.TB, e engine) *Server {
	t.Helper()
	e.need(t)
	s, err := start(e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func shared(t testing.TB, e engine) *Server {
	t.Helper()
	e.need(t)
	all.Lock()
	defer all.Unlock()
	if s := all.servers[e.name]; s != nil {
		return s
	}
	s, err := start(e)
	if err != nil {
		t.Fatal(err)
	}
	all.servers[e.name] = s
	return s
}

// need skips the test when the server is not installed. Where CI is set it fails
// instead, so that nobody believes it has run.
func (e engine) need(t testing.TB) {
	t.Helper()
	all.Lock()
	defer all.Unlock()
	if !all.inMain {
		t.Fatal("a server needs a TestMain that runs the tests through dbtest.Main, which cleans up")
	}
	for _, tool := range e.tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing: install the package %s (scripts/test-deps.sh does)", tool, e.pack)
			}
			t.Skipf("SKIPPED, NOT TESTED: %s is missing: install the package %s (scripts/test-deps.sh does)", tool, e.pack)
		}
	}
}

// all is what the tests of this binary share: running servers, and the folders that
// new ones are copied from.
var all = struct {
	sync.Mutex
	inMain  bool
	servers map[string]*Server

	making    sync.Mutex
	templates map[string]string
}{servers: map[string]*Server{}, templates: map[string]string{}}

// template is a folder with the data of a new server. Making one takes seconds, copying
// it doesn't.
func template(e engine) (string, error) {
	all.making.Lock()
	defer all.making.Unlock()
	if all.templates[e.name] == "" {
		folder, err := e.make()
		if err != nil {
			return "", err
		}
		all.templates[e.name] = folder
	}
	return filepath.Join(all.templates[e.name], "data"), nil
}

func (e engine) make() (string, error) {
	folder, err := e.folder()
	if err != nil {
		return "", err
	}
	err = e.prepare(folder, func(program string, args ...string) error {
		cmd := exec.Command(program, args...) //nolint:gosec // ours
		cmd.Dir = folder
		if cmd.SysProcAttr, err = e.attributes(); err != nil {
			return err
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", program, err, out)
		}
		return nil
	})
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, nil
}

// Runner runs the tests of a binary: *testing.M.
type Runner interface{ Run() int }

// Main wraps the tests of a binary: when they have run, shared servers are stopped and
// nothing is left. It is what goleak.VerifyTestMain is given.
func Main(tests Runner) Runner { return runner{tests} }

type runner struct{ tests Runner }

func (r runner) Run() int {
	_ = mysql.SetLogger(silent{}) // it refuses nil only
	all.Lock()
	all.inMain = true
	all.Unlock()
	code := r.tests.Run()
	all.Lock()
	defer all.Unlock()
	errs := []error{sweep()}
	for _, s := range all.servers {
		errs = append(errs, s.remove())
	}
	for _, folder := range all.templates {
		errs = append(errs, os.RemoveAll(folder))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "dbtest:", err)
		return max(code, 1)
	}
	return code
}
