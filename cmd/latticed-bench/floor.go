package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/glebarez/go-sqlite" // the driver the store uses, without the store
	"golang.org/x/sys/unix"
)

// forkExec is the median time of starting /bin/true and waiting for it, per
// process, with that many at a time.
func forkExec(atATime int) (time.Duration, error) {
	const rounds, each = 7, 100
	var ds []time.Duration
	for range rounds {
		var failed atomic.Bool
		start := time.Now()
		var wg sync.WaitGroup
		for range atATime {
			wg.Go(func() {
				for range each {
					if exec.Command("/bin/true").Run() != nil {
						failed.Store(true)
					}
				}
			})
		}
		wg.Wait()
		if failed.Load() {
			return 0, fmt.Errorf("/bin/true failed")
		}
		ds = append(ds, time.Since(start)/time.Duration(each*atATime))
	}
	return quantile(ds, 0.5), nil
}

// closedToTee is the floor of closed → first instruction: an inotify descriptor
// read by this process, which starts tee for every file closed in dir.
func closedToTee(ctx context.Context, dir, fifo string, n int) ([]time.Duration, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	in := os.NewFile(uintptr(fd), "inotify")
	defer in.Close()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CLOSE_WRITE); err != nil {
		return nil, err
	}
	return timeFiles(ctx, dir, fifo, n, func() error {
		var buf [4096]byte
		if _, err := unix.Read(fd, buf[:]); err != nil {
			return err
		}
		return exec.Command("tee", fifo).Run()
	})
}

// groupCommit is how many rows a second 64 callers get committed durably through
// one writer that commits whatever waits.
func groupCommit(ctx context.Context, dir string) (float64, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "floor.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT) STRICT"); err != nil {
		return 0, err
	}
	const callers, total = 64, 60_000
	work := make(chan chan struct{}, callers)
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			done := make(chan struct{}, 1)
			for range total / callers {
				work <- done
				<-done
			}
		})
	}
	go func() { wg.Wait(); close(work) }()
	for first := range work {
		if err := commitGroup(ctx, db, first, work); err != nil {
			return 0, err
		}
	}
	return float64(total/callers*callers) / time.Since(start).Seconds(), nil
}

func commitGroup(ctx context.Context, db *sql.DB, first chan struct{}, work chan chan struct{}) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	stmt, err := tx.PrepareContext(ctx, "INSERT INTO t (body) VALUES (?)")
	if err != nil {
		return err
	}
	defer stmt.Close()
	group := []chan struct{}{first}
	for len(work) > 0 && len(group) < 64 {
		group = append(group, <-work)
	}
	for range group {
		if _, err := stmt.ExecContext(ctx, `{"bins": 1024, "image": "/data/scan.tif"}`); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, g := range group {
		g <- struct{}{}
	}
	return nil
}

// openDatabase is the time to open a database and read one row of it.
func openDatabase(ctx context.Context, path string) (time.Duration, error) {
	start := time.Now()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var n int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n)
	return time.Since(start), err
}
