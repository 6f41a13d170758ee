package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(Main(m)) }

func each(t *testing.T, run func(t *testing.T, start func(testing.TB) *Server)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB) *Server{"postgres": Postgres, "mariadb": MariaDB} {
		t.Run(name, func(t *testing.T) { run(t, start) })
	}
}

func TestServer_keeps_what_was_committed_when_it_is_killed_and_started_again(t *testing.T) {
	each(t, func(t *testing.T, start func(testing.TB) *Server) {
		s := start(t)
		name, db := s.Database(t)
		Exec(t, db, "CREATE TABLE runs (id int PRIMARY KEY)", "INSERT INTO runs VALUES (1)", "INSERT INTO runs VALUES (2)")
		for _, end := range []func(testing.TB){s.Kill, s.Stop} {
			pid := s.proc.pid
			end(t)
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Fatalf("the process is still there: %v", err)
			}
			if err := db.PingContext(t.Context()); err == nil {
				t.Fatal("a server that has ended answers")
			}
			s.Start(t)
			again := s.Open(t, name)
			var n int
			if err := again.QueryRowContext(t.Context(), "SELECT count(*) FROM runs").Scan(&n); err != nil || n != 2 {
				t.Fatalf("%d rows are there, not 2: %v", n, err)
			}
		}
	})
}

func TestServer_leaves_nothing_behind(t *testing.T) {
	each(t, func(t *testing.T, start func(testing.TB) *Server) {
		var folder string
		var pids []int
		t.Run("inner", func(t *testing.T) {
			s := start(t)
			folder = s.Folder
			pids = append(childrenOf(s.proc.pid), s.proc.pid)
		})
		if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", folder, err)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d is still there: %v", pid, err)
			}
		}
	})
}

func TestServer_that_is_suspended_takes_connections_and_does_not_answer(t *testing.T) {
	each(t, func(t *testing.T, start func(testing.TB) *Server) {
		s := start(t)
		_, db := s.Database(t)
		if err := db.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		resume := s.Suspend(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := ping(ctx, db); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it answers: %v", err)
		}
		resume()
		if err := ping(t.Context(), db); err != nil {
			t.Errorf("it does not answer again: %v", err)
		}
	})
}

func ping(ctx context.Context, db *sql.DB) error {
	var one int
	return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

func TestShared_is_one_server_with_a_database_for_each_test(t *testing.T) {
	for _, shared := range []func(testing.TB) *Server{SharedPostgres, SharedMariaDB} {
		s := shared(t)
		if s != shared(t) {
			t.Error("two servers were started")
		}
		one, db := s.Database(t)
		other, _ := s.Database(t)
		Exec(t, db, "CREATE TABLE runs (id int)")
		if one == other {
			t.Errorf("two tests have the database %s", one)
		}
	}
}

func TestProxy_cuts_and_stalls(t *testing.T) {
	s := SharedPostgres(t)
	p := NewProxy(t, s)
	name, _ := s.Database(t)
	db, err := sql.Open("pgx", s.URLAt(p.Address, User, Password, name)+"?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := ping(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections are open", n)
	}
	p.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := ping(ctx, db); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stalled way lets through: %v", err)
	}
	p.Restore()
	if err := ping(t.Context(), db); err != nil {
		t.Error(err)
	}
	p.Cut()
	if err := ping(t.Context(), db); err == nil {
		t.Error("a cut way lets through")
	}
	p.Restore()
	if err := ping(t.Context(), db); err != nil {
		t.Error(err)
	}
}

func TestMain_removes_what_a_killed_test_binary_has_left(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	folders := map[int]string{}
	for _, pid := range []int{dead.Process.Pid, os.Getpid()} {
		folder := filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-nothing-1", folderPrefix, pid))
		if err := os.MkdirAll(filepath.Join(folder, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		folders[pid] = folder
	}
	if err := sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folders[dead.Process.Pid]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the dead is still there: %v", err)
	}
	if _, err := os.Stat(folders[os.Getpid()]); err != nil {
		t.Errorf("our own is gone: %v", err)
	}
}

func TestSweep_passes_over_what_another_user_has_left(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("only root can be another user")
		}
		t.Skip("only root can be another user")
	}
	folder := t.TempDir()
	left := filepath.Join(folder, folderPrefix+"999999999-other-1", "data") // no process has that number
	program := filepath.Join(folder, "tests")
	text, err := os.ReadFile(os.Args[0])
	err = errors.Join(err, os.Chmod(filepath.Dir(folder), 0o755), os.MkdirAll(left, 0o700), os.WriteFile(program, text, 0o755))
	if err != nil {
		t.Fatal(err)
	}
	tests := exec.CommandContext(t.Context(), program, "-test.run=^$")
	tests.Dir, tests.Env = folder, []string{"TMPDIR=" + folder}
	tests.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := tests.CombinedOutput(); err != nil {
		t.Errorf("tests of another user end with %v:\n%s", err, out)
	}
	if _, err := os.Stat(left); err != nil {
		t.Error(err)
	}
}
