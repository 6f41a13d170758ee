package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// accepted counts durable dispatches a second that 64 callers get over HTTP.
func accepted(ctx context.Context, s settings, t *table) error {
	const callers, each = 64, 200
	d, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	floor, err := groupCommit(ctx, d.dir)
	if err != nil {
		return err
	}
	if err := d.call(ctx, "POST", "/lattices", lattice("one", object{"a": noop()}), nil); err != nil {
		return err
	}
	body := object{"lattice": "one", "disable_run": true}
	errs := make(chan error, callers)
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for range each {
				if err := d.call(ctx, "POST", "/dispatches", body, nil); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	close(errs)
	if err := <-errs; err != nil {
		return err
	}
	t.rate("dispatches accepted over HTTP, 64 callers", callers*each/took.Seconds(), floor, "≥ 0.12 × (8,000/s at 65,000/s)")
	return nil
}

// settled is after when the daemon has given back what only its start needed.
const settled = 15 * time.Second

// memory reads what the daemon and its runner hold: as they start, idle, and after
// 1,000 runs.
func memory(ctx context.Context, s settings, t *table) error {
	d, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	if _, err := d.finish(ctx, lattice("one", object{"a": noop()})); err != nil {
		return err
	}
	show := func(name, field string, pid int, goal string) error {
		n, err := memoryOf(pid, field)
		if err == nil {
			t.plain(name, fmt.Sprintf("%.1f MB", float64(n)/1e6), goal)
		}
		return err
	}
	if err := show("memory: daemon just started", "Rss", d.cmd.Process.Pid, ""); err != nil {
		return err
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	if err := show("memory: daemon idle", "Rss", d.cmd.Process.Pid, "≤ 30 MB"); err != nil {
		return err
	}
	for range 1000 {
		if _, err := d.finish(ctx, lattice("one", object{"a": noop()})); err != nil {
			return err
		}
	}
	if err := show("memory: daemon after 1,000 runs", "Rss", d.cmd.Process.Pid, "≤ 45 MB"); err != nil {
		return err
	}
	pid, err := d.runnerPid()
	if err != nil {
		return err
	}
	return show("memory: runner, anonymous", "Anonymous", pid, "≤ 12 MB")
}

// serving times from a start after SIGKILL until the daemon answers.
func serving(ctx context.Context, s settings, t *table) error {
	d, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	for range 200 {
		if _, err := d.finish(ctx, lattice("one", object{"a": noop()})); err != nil {
			return err
		}
	}
	var ds, floors []time.Duration
	for range 5 {
		d.kill()
		floor, err := openDatabase(ctx, filepath.Join(d.dir, "state", "latticed.db"))
		if err != nil {
			return err
		}
		floors = append(floors, floor)
		took, err := d.start(ctx, s.binary)
		if err != nil {
			return err
		}
		ds = append(ds, took)
	}
	t.ratio("serving again after SIGKILL", quantile(ds, 0.5), quantile(floors, 0.5), "≤ 0.5 s")
	return nil
}
