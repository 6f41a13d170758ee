package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// long is how many dispatches a long history has.
const long = 1_000_000

// history times a page of the list when there are a million dispatches.
func history(ctx context.Context, s settings, t *table) error {
	d, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	if _, err := d.finish(ctx, lattice("one", object{"a": noop()})); err != nil {
		return err
	}
	d.end()
	floor, err := lengthen(ctx, filepath.Join(d.dir, "state", "latticed.db"))
	if err != nil {
		return err
	}
	ready, err := d.start(ctx, s.binary)
	if err != nil {
		return err
	}
	for _, page := range []struct{ name, query string }{
		{"newest", ""}, {"failed", "?status=failed"}, {"a lattice's", "?lattice=one"}, {"a deep", "?until=2020-01-01T00:08:20Z"},
	} {
		var ds []time.Duration
		for range 50 {
			begin := time.Now()
			if err := d.call(ctx, "GET", "/dispatches"+page.query, nil, nil); err != nil {
				return err
			}
			ds = append(ds, time.Since(begin))
		}
		t.ratio("1,000,000 dispatches: "+page.name+" page", quantile(ds, 0.5), floor, "< 10 ms")
	}
	t.plain("1,000,000 dispatches: ready after", round(ready).String(), "≤ 0.5 s")
	return nil
}

// lengthen copies the one dispatch of a database a million times, a thousandth of them
// failed, and returns how long one indexed read takes.
func lengthen(ctx context.Context, file string) (floor time.Duration, err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var columns string
	if err := db.QueryRowContext(ctx, "SELECT group_concat(name) FROM pragma_table_info('dispatches') WHERE name <> 'number'").Scan(&columns); err != nil {
		return 0, fmt.Errorf("columns of dispatches: %w", err)
	}
	values := map[string]string{
		"id": "printf('0190aaaa-bbbb-7000-8000-%012d', value)", "seq": "1000 + value", "ended_seq": "1000 + value",
		"created_at": "1577836800000000 + value * 1000", // from 2020 on, one each millisecond
		"status":     "CASE WHEN value % 1000 = 0 THEN 'failed' ELSE 'completed' END",
		"inputs":     `'{"image":"/data/' || value || '.tif"}'`,
	}
	picks := strings.Split(columns, ",")
	for i, c := range picks {
		if v, ok := values[c]; ok {
			picks[i] = v
		}
	}
	for from := 0; from < long; from += long / 20 {
		_, err := db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO dispatches (%s) SELECT %s FROM dispatches,
			(WITH RECURSIVE c(value) AS (SELECT %d UNION ALL SELECT value + 1 FROM c LIMIT %d) SELECT value FROM c) WHERE number = 1`,
			columns, strings.Join(picks, ","), from, long/20))
		if err != nil {
			return 0, fmt.Errorf("copy a dispatch: %w", err)
		}
	}
	var ds []time.Duration
	for n := range 50 {
		var id string
		begin := time.Now()
		if err := db.QueryRowContext(ctx, "SELECT id FROM dispatches WHERE number = ?", 1000+n).Scan(&id); err != nil {
			return 0, err
		}
		ds = append(ds, time.Since(begin))
	}
	return quantile(ds, 0.5), nil
}
