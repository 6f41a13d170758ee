package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// files are the names in the folder of a file.
func filesBeside(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestSQLite_makes_no_files(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		path, w := lab(t, journal)
		w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
		w.end()
		r := on(t, path, "samples", map[string]any{"start": "beginning"})
		stop := r.start()
		r.has("1")
		if got := filesBeside(t, path); got != "lab.db" {
			t.Errorf("%s: beside a file that nobody has open: %s", journal, got)
		}
		stop()
		if got := filesBeside(t, path); got != "lab.db" {
			t.Errorf("%s: afterwards: %s", journal, got)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing.db")
	r := on(t, missing, "samples", nil)
	r.start()
	r.until("it says that nothing is there", func() bool { return r.state == "degraded" })
	if got := filesBeside(t, missing); got != "" {
		t.Errorf("it made %s", got)
	}
}

// The last writer takes what is in the log into the file when it closes it, whoever
// reads: people copy the file alone.
func TestSQLite_lets_the_last_writer_tidy_up(t *testing.T) {
	path, w := lab(t, "wal")
	r := on(t, path, "samples", nil)
	r.start()
	r.active()
	for n := range 5 {
		w.do("INSERT INTO samples VALUES (?, 'a', NULL)", n+1)
	}
	r.has("1", "2", "3", "4", "5")
	r.rests()
	polls := r.stats().Polls
	r.until("it has looked again at what is young", func() bool { return r.stats().Polls != polls })
	w.end() // the next look is as far away as the change is old
	if got := filesBeside(t, path); got != "lab.db" {
		t.Errorf("the writer has left %s", got)
	}
}

func TestSQLite_goes_on_after_a_writer_was_killed(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			path, w := lab(t, journal)
			r := on(t, path, "samples", nil)
			r.start()
			r.active()
			w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
			w.do("BEGIN IMMEDIATE")
			w.do("INSERT INTO samples VALUES (2, 'never', NULL)")
			w.kill()
			next := startWriter(t, path, 5)
			next.do("INSERT INTO samples VALUES (3, 'b', NULL)")
			r.has("1", "3")
		})
	}
}

func TestSQLite_waits_for_a_file_that_somebody_keeps_locked(t *testing.T) {
	path, w := lab(t, "delete")
	r := on(t, path, "samples", nil)
	r.start()
	r.active()
	w.do("BEGIN EXCLUSIVE")
	w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
	r.until("it says that the file is locked", func() bool { return r.state == "degraded" && r.reason == "another program keeps the file locked" })
	w.do("COMMIT")
	r.has("1")
	r.active()
}

// A writer that waits for no lock at all is refused only while a batch is copied, so
// one that waits a moment never is.
func TestSQLite_is_in_nobodys_way(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			path, setup := lab(t, journal)
			setup.do("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO samples SELECT i, 'old', NULL FROM n")
			r := on(t, path, "samples", map[string]any{"start": "beginning", "limit": int64(5000)})
			w := startWriter(t, path, 0.5)
			r.start()
			for n := range 300 {
				if _, err := w.try("INSERT INTO samples VALUES (?, 'new', NULL)", 20001+n); err != nil {
					t.Fatalf("insert %d: %v", n, err)
				}
			}
			r.until("all rows", func() bool { return len(r.events) == 20300 })
		})
	}
}

func TestSQLite_interrupts_a_query_at_its_limit(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO samples SELECT i, 'a', NULL FROM n")
	slow := "(SELECT count(*) FROM samples a, samples b, samples c WHERE a.id + b.id + c.id < 0) = 1" // hours
	r := on(t, path, "samples", map[string]any{"where_clauses": slow, "query_timeout": "200ms"})
	stop := r.start()
	began := time.Now()
	r.until("it says that the query is slow", func() bool { return r.state == "degraded" && strings.Contains(r.reason, "query_timeout") })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	stop()

	c, err := sqliteDialect{}.open(t.Context(), address{engine: engineSQLite, database: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(errStop) })
	if err := c.read(ctx, "SELECT 1 FROM samples WHERE "+slow, nil, time.Hour, nil); !errors.Is(err, errStop) {
		t.Errorf("read returned %v, want the cause", err)
	}
	n := 0
	if err := c.read(t.Context(), "SELECT 1 FROM samples", nil, time.Minute, func([]any) error { n++; return nil }); err != nil || n != 3000 {
		t.Errorf("after the interruption: %d rows, %v", n, err)
	}
}

var errStop = errors.New("that is enough")

func TestSQLite_opens_nothing_but_its_file_and_writes_nothing(t *testing.T) {
	path, w := lab(t, "delete")
	other := filepath.Join(filepath.Dir(path), "other.db")
	startWriter(t, other, 1).do("CREATE TABLE x (a)")
	c, err := sqliteDialect{}.open(t.Context(), address{engine: engineSQLite, database: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	for _, q := range []string{
		"SELECT 1; ATTACH '" + other + "' AS o",
		"SELECT 1; INSERT INTO main.samples VALUES (1, 'x', NULL)",
		"SELECT 1; DROP TABLE main.samples",
		"SELECT 1; VACUUM INTO '" + path + "2'",
	} {
		if err := c.read(t.Context(), q, nil, time.Minute, func([]any) error { return nil }); err == nil {
			t.Errorf("%s: no error", q)
		}
	}
	if n := w.do("SELECT count(*) FROM samples")[0][0]; n != 0.0 {
		t.Errorf("%v rows were written", n)
	}
}

func TestSQLite_says_what_a_file_is_that_is_no_database(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{text: "is not a SQLite database", dir: "it is no file", dir + "/x": "there is no file " + dir + "/x"} {
		_, err := sqliteDialect{}.open(t.Context(), address{engine: engineSQLite, database: path})
		if err == nil || !strings.Contains(plainly(err).Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if got := (sqliteDialect{}).judge(err); got != troubleLost {
			t.Errorf("%s: trouble %d", path, got)
		}
	}
}

// A million rows: what is read of them is what is new.
func TestSQLite_reads_only_what_is_new(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("CREATE INDEX by_at ON samples (at, id)")
	w.do("BEGIN")
	w.do("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) INSERT INTO samples SELECT i, 'old', printf('%010d', i / 3) FROM n")
	w.do("COMMIT")
	for name, cursor := range map[string]any{"id": "id", "at": "at"} {
		t.Run(name, func(t *testing.T) {
			made := on(t, path, "samples", map[string]any{"cursor": cursor})
			p := newPool(Options{})
			s := &source{pool: p, config: configOf(t, made.fields)}
			s.link = joined(t, p, s.place)
			defer func() { _ = s.Close() }()
			raw := begun(t, s)
			began := time.Now()
			b, err := s.next(t.Context(), raw)
			took := time.Since(began)
			if err != nil || len(b.events) != 0 {
				t.Fatal(b.events, err)
			}
			t.Logf("a poll that finds nothing took %s", took)
			if took > 250*time.Millisecond {
				t.Errorf("a poll that finds nothing took %s", took)
			}
			if plan := plansOf(t, w, s, raw); strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("the table is read from end to end:\n%s", plan)
			} else {
				t.Log(plan)
			}
		})
	}
}

// plansOf is how SQLite would find the rows of a poll.
func plansOf(t *testing.T, w *writer, s *source, raw []byte) string {
	t.Helper()
	spy := &spyConn{}
	var lines []string
	err := s.link.use(t.Context(), func(ctx context.Context, x *session) error {
		l, err := x.layout(ctx, s.table, s.wish)
		if err != nil {
			return err
		}
		c, _, err := s.read(raw)
		if err != nil {
			return err
		}
		r := x.reading(l, &s.config)
		spy.conn, r.c = r.c, spy
		_, err = c.look(ctx, r, time.Now(), 1000, s.reach(l))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range spy.asked {
		args := append([]any(nil), q.args...)
		for _, row := range w.do("EXPLAIN QUERY PLAN "+q.text, args...) {
			lines = append(lines, fmt.Sprint(row[3]))
		}
	}
	return strings.Join(lines, "\n")
}

// spyConn notes what is asked.
type spyConn struct {
	conn
	asked []struct {
		text string
		args []any
	}
}

func (c *spyConn) read(ctx context.Context, query string, args []any, limit time.Duration, f func([]any) error) error {
	c.asked = append(c.asked, struct {
		text string
		args []any
	}{query, args})
	return c.conn.read(ctx, query, args, limit, f)
}

// shmHead is the part of the index of a log that says how much of the log counts.
const shmHead = 96

// What a writer has put into the log shows in its size and time before it counts, and
// a slow disk may be between the two: nothing shows when it does.
func TestSQLite_finds_what_counts_only_long_after_it_was_written(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
	r := on(t, path, "samples", nil)
	stop := r.start()
	r.active()
	stop()
	// By another process: who closes the index loses the locks that he has on it.
	index := func(in []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.Command("dd", append(args, "bs="+fmt.Sprint(shmHead), "count=1", "status=none")...)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil || len(args) == 1 && len(out) != shmHead {
			t.Fatal(err, out)
		}
		return out
	}
	before := index(nil, "if="+path+"-shm")
	w.do("INSERT INTO samples VALUES (2, 'b', NULL)")
	after := index(nil, "if="+path+"-shm")
	index(before, "of="+path+"-shm", "conv=notrunc")
	r.start()
	r.rests()
	r.has()
	index(after, "of="+path+"-shm", "conv=notrunc")
	r.has("2")
}

func TestStamp_of_a_change_changes_while_it_is_young_and_then_no_more(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	f := file{mtime: at.Add(-time.Hour).UnixNano(), log: log{true, 1, at.UnixNano()}}
	stamps := map[string]bool{}
	for age := 2 * grain; age < time.Hour; age *= 2 {
		stamps[f.stamp(at.Add(age))] = true
	}
	if len(stamps) < 10 || len(stamps) > doublings {
		t.Errorf("%d stamps of one change", len(stamps))
	}
	if f.stamp(at.Add(grain/2)) == f.stamp(at.Add(grain/4)) {
		t.Error("what has just changed may change again, and have the same stamp")
	}
	if f.stamp(at.Add(time.Minute)) != f.stamp(at.Add(24*time.Hour)) {
		t.Error("what is old has more than one stamp")
	}
	other := f
	if other.log.size++; other.stamp(at.Add(time.Hour)) == f.stamp(at.Add(time.Hour)) {
		t.Error("a longer log has the same stamp")
	}
}

// A program may copy another file over the one that is open here: by what SQLite looks
// at, the counter of changes, they may be the same.
func TestSQLite_reads_a_file_that_another_was_copied_over(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	fresh := func(path string, rows int) {
		w := startWriter(t, path, 5)
		w.do("BEGIN")
		w.do("CREATE TABLE samples (id INTEGER PRIMARY KEY, name TEXT)")
		for n := range rows {
			w.do("INSERT INTO samples VALUES (?, 'x')", n+1)
		}
		w.do("COMMIT")
		w.end()
	}
	fresh(path, 1)
	fresh(path+".next", 3)
	next, err := os.ReadFile(path + ".next")
	if err != nil {
		t.Fatal(err)
	}
	r := on(t, path, "samples", nil)
	r.start()
	r.active()
	r.rests()
	if err := os.WriteFile(path, next, 0o600); err != nil {
		t.Fatal(err)
	}
	r.has("2", "3")
}
