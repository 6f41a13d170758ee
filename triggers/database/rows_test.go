package database

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/triggers"
)

func TestRows_that_are_there_are_no_events_and_new_ones_are_in_order(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			path, w := lab(t, journal)
			w.do("INSERT INTO samples (name) VALUES ('old'), ('older')")
			r := on(t, path, "samples", map[string]any{"limit": int64(2)})
			r.start()
			r.active()
			w.do("INSERT INTO samples (name) VALUES ('a'), ('b'), ('c'), ('d'), ('e')")
			r.has("3", "4", "5", "6", "7")
		})
	}
}

func TestRows_start_where_the_trigger_says(t *testing.T) {
	for start, want := range map[any][]string{
		"beginning": {"1", "2", "3", "4", "5"},
		int64(3):    {"3", "4", "5"},
		int64(9):    {},
	} {
		path, w := lab(t, "wal")
		w.do("INSERT INTO samples (name) VALUES ('a'), ('b'), ('c'), ('d'), ('e')")
		r := on(t, path, "samples", map[string]any{"start": start, "limit": int64(2)})
		r.start()
		r.active()
		r.has(want...)
	}
}

func TestRows_committed_late_and_rows_that_tie_are_reported_once(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("INSERT INTO samples VALUES (10, 'a', '2026-03-01 12:00:00')")
	r := on(t, path, "samples", map[string]any{"cursor": []any{"at"}})
	stop := r.start()
	r.active()
	w.do("INSERT INTO samples VALUES (11, 'b', '2026-03-01 12:00:05')")
	r.has(`"2026-03-01 12:00:05",11`)
	w.do("INSERT INTO samples VALUES (12, 'late', '2026-03-01 12:00:03'), (9, 'tie', '2026-03-01 12:00:05'), (8, 'tie', '2026-03-01 12:00:00')")
	r.has(`"2026-03-01 12:00:05",11`, `"2026-03-01 12:00:00",8`, `"2026-03-01 12:00:03",12`, `"2026-03-01 12:00:05",9`)
	stop()
	r.start()
	r.quiet(func() { w.do("DELETE FROM samples WHERE id IN (8, 12)") })
	w.do("INSERT INTO samples VALUES (7, 'tie', '2026-03-01 12:00:05')")
	r.until("the tie after a restart", func() bool { return len(r.events) == 5 })
}

func TestRows_without_a_look_back_still_find_ties(t *testing.T) {
	path, w := lab(t, "wal")
	r := on(t, path, "samples", map[string]any{"cursor": []any{"at"}, "look_back": "0s"})
	r.start()
	r.active()
	w.do("INSERT INTO samples VALUES (11, 'b', '2026-03-01')")
	r.has(`"2026-03-01",11`)
	w.do("INSERT INTO samples VALUES (3, 'c', '2026-03-01')")
	r.has(`"2026-03-01",11`, `"2026-03-01",3`)
	r.quiet(func() { w.do("INSERT INTO samples VALUES (4, 'too late', '2026-02-01')") })
}

func TestRows_with_a_version_are_reported_when_they_change(t *testing.T) {
	path, w := lab(t, "delete")
	w.do("CREATE TABLE runs (id INTEGER PRIMARY KEY, state TEXT, rev INTEGER NOT NULL)")
	w.do("INSERT INTO runs VALUES (1, 'new', 1), (2, 'new', 2)")
	r := on(t, path, "runs", map[string]any{"version": "rev", "where_clauses": "state <> 'hidden'"})
	r.start()
	r.active()
	w.do("UPDATE runs SET state = 'done', rev = 3 WHERE id = 1")
	r.has("3,1")
	w.do("UPDATE runs SET rev = 4 WHERE id = 1")
	w.do("INSERT INTO runs VALUES (3, 'hidden', 5)")
	r.has("3,1", "4,1")
	w.do("UPDATE runs SET rev = 6, state = 'seen' WHERE id = 3")
	r.has("3,1", "4,1", "6,3")
	if got := r.rows()[2]["state"]; got != "seen" {
		t.Errorf("the row of the last version is %v", r.rows()[2])
	}
}

func TestRows_deleted_are_nothing_and_a_key_that_comes_again_later_is_an_event(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("CREATE TABLE jobs (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID")
	w.do("INSERT INTO jobs VALUES ('a', 1), ('b', 2)")
	r := on(t, path, "jobs", map[string]any{"cursor": "at"})
	r.start()
	r.active()
	r.quiet(func() { w.do("DELETE FROM jobs") })
	w.do("INSERT INTO jobs VALUES ('a', 5)")
	r.has(`5,"a"`)
}

func TestRows_of_a_table_without_a_key_are_told_apart_by_their_rowid(t *testing.T) {
	path, w := lab(t, "wal")
	w.do(`CREATE TABLE "log ""x""" (rowid TEXT, "a column" REAL)`)
	r := on(t, path, `log "x"`, nil)
	if _, err := parseTableName(`log "x"`); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.active()
	w.do(`INSERT INTO "log ""x""" VALUES ('r', 1.5), ('r', 1.5)`)
	r.has("1", "2")
	if diff := cmp.Diff(map[string]any{"rowid": "r", "a column": 1.5}, r.rows()[0]); diff != "" {
		t.Error(diff)
	}
}

func TestRows_are_handed_over_typed(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("CREATE TABLE kinds (id INTEGER PRIMARY KEY, n, f REAL, d DECIMAL(10,2), ok BOOLEAN, text TEXT, bytes BLOB, meta JSON, at DATETIME, bad JSON, big BLOB)")
	r := on(t, path, "kinds", nil)
	r.start()
	r.active()
	w.do(`INSERT INTO kinds VALUES (9007199254740993, 9223372036854775807, 1e300, 2.50, 1, 'täxt', x'00ff', '{"a": [1, {"b": null}]}', '2026-03-01 12:00:00', '{', zeroblob(300000))`)
	r.has("9007199254740993")
	var p struct{ Row, Key json.RawMessage }
	r.mu.Lock()
	err := json.Unmarshal(r.events[0].Payload, &p)
	r.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":9007199254740993,"n":9223372036854775807,"f":1e+300,"d":2.5,"ok":true,"text":"täxt","bytes":{"base64":"AP8="},` +
		`"meta":{"a":[1,{"b":null}]},"at":"2026-03-01 12:00:00","bad":"{","big":{"size":300000}}`
	if string(p.Row) != want {
		t.Errorf("row:\n%s, want\n%s", p.Row, want)
	}
	if string(p.Key) != `{"id":9007199254740993}` {
		t.Errorf("key: %s", p.Key)
	}
}

func TestRows_of_columns_that_were_chosen(t *testing.T) {
	path, w := lab(t, "wal")
	r := on(t, path, "samples", map[string]any{"columns": "NAME"})
	r.start()
	r.active()
	w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
	r.has("1")
	if diff := cmp.Diff(map[string]any{"name": "a"}, r.rows()[0]); diff != "" {
		t.Error(diff)
	}
}

func TestRows_of_a_view_and_of_a_table_whose_columns_change(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("CREATE VIEW done AS SELECT id AS number, name FROM samples WHERE at IS NOT NULL")
	r := on(t, path, "done", map[string]any{"cursor": "number", "key": "number"})
	r.start()
	r.active()
	w.do("INSERT INTO samples VALUES (1, 'a', NULL), (2, 'b', 'x')")
	r.has("2")
	w.do("DROP VIEW done")
	r.until("it fails", func() bool { return r.state == "failing" })
	w.do("INSERT INTO samples VALUES (3, 'a', 'x')")
	w.do("CREATE VIEW done AS SELECT id AS number, at FROM samples WHERE at IS NOT NULL")
	r.has("2", "3")
	if diff := cmp.Diff(map[string]any{"number": 3.0, "at": "x"}, r.rows()[1]); diff != "" {
		t.Error(diff)
	}
	r.active()
}

func TestRows_of_a_file_that_is_away_replaced_and_comes_later(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
	w.end()
	away := path + ".away"
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(path, away)
	r := on(t, path, "samples", nil)
	r.start()
	r.until("it says that the file is not there", func() bool { return r.state == "degraded" })
	move(away, path)
	r.active()
	again := startWriter(t, path, 5)
	again.do("INSERT INTO samples VALUES (2, 'b', NULL)")
	r.has("2")
	again.end()

	// Another file takes the place of the first, as a program does that saves a copy.
	other := path + ".new"
	next := startWriter(t, other, 5)
	next.do("CREATE TABLE samples (id INTEGER PRIMARY KEY, name TEXT, at TEXT)")
	next.do("INSERT INTO samples VALUES (1, 'a', NULL), (2, 'b', NULL), (3, 'of the other file', NULL)")
	next.end()
	move(other, path)
	r.has("2", "3")
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("there is a log beside a file that nobody has open")
	}
}

func TestRows_that_are_large_are_read_few_at_a_time(t *testing.T) {
	path, w := lab(t, "delete")
	w.do("CREATE TABLE images (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, pixels BLOB)")
	fill := func(n, size int) {
		w.do(fmt.Sprintf("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < %d) INSERT INTO images (at, pixels) SELECT 1, zeroblob(%d) FROM c", n, size))
	}
	fill(200, 1)
	fill(40, 1<<20)
	p := newPool(Options{})
	s := &source{pool: p, config: configOf(t, map[string]any{"db_path": path, "table_name": "images", "cursor": "at", "start": "beginning", "query_timeout": "1m"})}
	s.link = joined(t, p, s.place)
	defer func() { _ = s.Close() }()
	var raw json.RawMessage
	seen := map[string]bool{}
	for more := true; more; {
		b, err := s.next(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		large := 0
		for _, e := range b.events {
			if seen[e.Key] {
				t.Errorf("%s again", e.Key)
			}
			seen[e.Key] = true
			if strings.Contains(string(e.Payload), `"size"`) {
				large++
			}
		}
		if large > largestRead>>20+1 {
			t.Errorf("%d images at once", large)
		}
		if raw, err = json.Marshal(b.cursor); err != nil {
			t.Fatal(err)
		}
		more = b.more
	}
	if len(seen) != 240 {
		t.Errorf("%d of 240 rows were found", len(seen))
	}
	rows := 0
	err := s.Backfill(t.Context(), triggers.From{}, triggers.Range{}, func(es []triggers.Event) error {
		rows += len(es)
		return nil
	})
	if err != nil || rows != 240 {
		t.Errorf("%d of 240 rows are made up for, %v", rows, err)
	}
}
