package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The crowd: ten thousand triggers of all kinds, a thousand folders and ten databases.
const (
	crowdSize      = 10_000
	crowdFolders   = 1000
	crowdDatabases = 10
)

// crowd reads what ten thousand idle triggers cost.
func crowd(ctx context.Context, s settings, t *table) error {
	d, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	if err := d.call(ctx, "POST", "/lattices", lattice("one", object{"a": noop()}), nil); err != nil {
		return err
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	empty, err := memoryOf(d.cmd.Process.Pid, "Rss")
	if err != nil {
		return err
	}
	if err := d.register(ctx); err != nil {
		return err
	}
	d.end()
	ready, err := d.start(ctx, s.binary)
	if err != nil {
		return err
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	full, err := memoryOf(d.cmd.Process.Pid, "Rss")
	if err != nil {
		return err
	}
	before, err := cpuOf(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	const watched = 20 * time.Second
	if err := pause(ctx, watched); err != nil {
		return err
	}
	after, err := cpuOf(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	t.plain("10,000 triggers: memory each", fmt.Sprintf("%.1f KB", float64(full-empty)/crowdSize/1e3), "< 10 KB")
	t.plain("10,000 triggers: idle CPU, of a core", fmt.Sprintf("%.2f %%", 100*(after-before).Seconds()/watched.Seconds()), "≈ 0")
	t.plain("10,000 triggers: ready after", round(ready).String(), "")
	return nil
}

// register adds the crowd, eight at a time.
func (d *daemon) register(ctx context.Context) error {
	for n := range crowdFolders {
		if err := os.MkdirAll(filepath.Join(d.dir, "data", strconv.Itoa(n)), 0o755); err != nil {
			return err
		}
	}
	for n := range crowdDatabases {
		if err := makeTable(ctx, d.database(n)); err != nil {
			return err
		}
	}
	ns, errs := make(chan int), make(chan error, 8)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range ns {
				if err := d.call(ctx, "POST", "/triggers", d.member(n), nil); err != nil {
					errs <- fmt.Errorf("trigger %d: %w", n, err)
					return
				}
			}
		})
	}
	var err error
	for n := range crowdSize {
		select {
		case ns <- n:
			continue
		case err = <-errs:
		}
		break
	}
	close(ns)
	wg.Wait()
	return err
}

func (d *daemon) database(n int) string { return filepath.Join(d.dir, fmt.Sprintf("%d.db", n)) }

// member is the nth trigger of the crowd.
func (d *daemon) member(n int) object {
	o := object{"name": fmt.Sprintf("t%d", n), "lattice": "one"}
	switch n % 5 {
	case 0:
		o["kind"], o["cron"] = "time", "0 4 1 1 *"
	case 1:
		o["kind"], o["dir_path"] = "directory", filepath.Join(d.dir, "data", strconv.Itoa(n%crowdFolders))
	case 2:
		o["kind"], o["db_path"], o["table_name"] = "sqlite", d.database(n%crowdDatabases), "results"
	case 3:
		o["kind"] = "webhook"
	default:
		o["kind"], o["of"] = "dispatch", object{"label": object{"n": strconv.Itoa(n)}}
	}
	return o
}

func makeTable(ctx context.Context, file string) (err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "CREATE TABLE results (id INTEGER PRIMARY KEY, value REAL); INSERT INTO results (value) VALUES (1), (2)")
	return err
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// cpuOf is the time that a process has computed so far.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// After the name, which is in brackets, come state … utime (12th) stime (13th).
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// clockTicks a second is how /proc counts, on every Linux that Go runs on.
const clockTicks = 100
