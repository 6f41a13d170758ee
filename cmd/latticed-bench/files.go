package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// timeFiles writes n files into dir, one after the other, and returns for each how
// long it took from its close until somebody opened the fifo. act makes that happen
// in this process; nil when another process does.
func timeFiles(ctx context.Context, dir, fifo string, n int, act func() error) ([]time.Duration, error) {
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(fifo)
	var ds []time.Duration
	for i := range n {
		opened := make(chan time.Time, 1)
		go func() {
			f, err := os.Open(fifo) // returns when the program opens it for writing
			if err == nil {
				opened <- time.Now()
				f.Close()
			}
		}()
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("scan-%04d", i)))
		if err != nil {
			return nil, err
		}
		closed := time.Now()
		if err := f.Close(); err != nil {
			return nil, err
		}
		if act != nil {
			if err := act(); err != nil {
				return nil, err
			}
		}
		select {
		case at := <-opened:
			ds = append(ds, at.Sub(closed))
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Second):
			return nil, fmt.Errorf("file %d ran nothing within 20 s", i)
		}
		time.Sleep(3 * time.Millisecond) // let the dispatch end: one file at a time is measured
	}
	return ds, nil
}

// watch stores a lattice that runs argv and adds a trigger for files closed in dir.
func (d *daemon) watch(ctx context.Context, name, dir string, argv ...string) error {
	if err := d.call(ctx, "POST", "/lattices", lattice(name, object{"a": object{"run": argv}}), nil); err != nil {
		return err
	}
	return d.call(ctx, "POST", "/triggers", object{
		"name": name, "kind": "directory", "lattice": name,
		"dir_path": dir, "event_names": []string{"closed"},
	}, nil)
}

// closedToExec times file closed → first instruction of the electron.
func closedToExec(ctx context.Context, s settings, t *table) error {
	const n = 400
	dir, err := os.MkdirTemp("", "latticed-bench-files-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bare, watched := filepath.Join(dir, "bare"), filepath.Join(dir, "watched")
	for _, sub := range []string{bare, watched} {
		if err := os.Mkdir(sub, 0o755); err != nil {
			return err
		}
	}
	fifo := filepath.Join(dir, "fifo")
	floor, err := closedToTee(ctx, bare, fifo, n)
	if err != nil {
		return err
	}
	d, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	if err := d.watch(ctx, "closed", watched, "tee", fifo); err != nil {
		return err
	}
	got, err := timeFiles(ctx, watched, fifo, n, nil)
	if err != nil {
		return err
	}
	t.ratio("file closed → first instruction, median", quantile(got, 0.5), quantile(floor, 0.5), "≤ 1.7 ×")
	t.ratio("file closed → first instruction, p99", quantile(got, 0.99), quantile(floor, 0.99), "≤ 3 ×")
	return nil
}

// burst drops files as fast as it can and waits until all of them have run.
func burst(ctx context.Context, s settings, t *table) error {
	floor, err := forkExec(2)
	if err != nil {
		return err
	}
	d, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	dir := filepath.Join(d.dir, "drop")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := d.watch(ctx, "burst", dir, "/bin/true"); err != nil {
		return err
	}
	start := time.Now()
	for i := range s.files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%06d", i)), []byte("x"), 0o644); err != nil {
			return err
		}
	}
	total, err := d.drain(ctx, "burst", s.files)
	if err != nil {
		return err
	}
	took := time.Since(start)
	t.plain(fmt.Sprintf("burst of %d files: lost, doubled", s.files), fmt.Sprintf("%d, %d", max(0, s.files-total), max(0, total-s.files)), "0, 0")
	t.rate("burst, drained per second", float64(total)/took.Seconds(), float64(time.Second)/float64(floor), "≥ 0.6 ×")
	return nil
}

// drain waits until nothing of the trigger is pending or in flight and returns how
// many dispatches it has had. The number of the newest dispatch counts them: only
// this trigger dispatches.
func (d *daemon) drain(ctx context.Context, trigger string, atLeast int) (int, error) {
	for begin := time.Now(); time.Since(begin) < 10*time.Minute; {
		var live, newest struct {
			Items []struct {
				Number int `json:"number"`
			} `json:"items"`
		}
		var tr struct {
			Pending int `json:"pending"`
		}
		if err := d.call(ctx, "GET", "/triggers/"+trigger, nil, &tr); err != nil {
			return 0, err
		}
		if err := d.call(ctx, "GET", "/dispatches?limit=1&status=pending&status=running", nil, &live); err != nil {
			return 0, err
		}
		if err := d.call(ctx, "GET", "/dispatches?limit=1", nil, &newest); err != nil {
			return 0, err
		}
		if tr.Pending == 0 && len(live.Items) == 0 && len(newest.Items) == 1 && newest.Items[0].Number >= atLeast {
			return newest.Items[0].Number, nil
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return 0, fmt.Errorf("the burst is not drained after 10 minutes")
}
