package database

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/database/dbtest"
)

// million is how many rows the large table has.
const million = 1_000_000

// large fills a table with a million rows, two of each instant.
func (s server) large(exec func(...string)) {
	if _, ok := s.dialect.(mysqlDialect); ok {
		exec("CREATE TABLE runs (id "+s.counted()+", at timestamp(6) NOT NULL, label varchar(20) NOT NULL, amount decimal(20,4) NOT NULL, big bigint unsigned NOT NULL, made datetime(6) NOT NULL)",
			fmt.Sprintf(`INSERT INTO runs SELECT seq, TIMESTAMPADD(SECOND, seq DIV 2, '2026-01-01'), LPAD(seq, 8, '0'), seq / 4, seq, TIMESTAMPADD(SECOND, seq, '2026-01-01') FROM seq_1_to_%d`, million))
	} else {
		exec("CREATE TABLE runs (id "+s.counted()+", at timestamptz NOT NULL, label text NOT NULL, amount numeric NOT NULL, big numeric NOT NULL, made timestamp NOT NULL)",
			fmt.Sprintf(`INSERT INTO runs SELECT n, '2026-01-01'::timestamptz + n / 2 * interval '1 second', lpad(n::text, 8, '0'), n / 4.0, n, '2026-01-01'::timestamp + n * interval '1 second' FROM generate_series(1, %d) n`, million),
			fmt.Sprintf("SELECT setval('runs_id_seq', %d)", million))
	}
	analyze := "ANALYZE runs"
	if _, ok := s.dialect.(mysqlDialect); ok {
		analyze = "ANALYZE TABLE runs"
	}
	defer exec(analyze)
	for i, columns := range []string{"at", "label", "amount", "big", "made", "at, label"} {
		exec(fmt.Sprintf("CREATE INDEX by_%d ON runs (%s, id)", i, columns))
	}
}

// spy counts the rows that the server itself reads for what a conn is asked.
type spy struct {
	conn
	t     *testing.T
	s     server
	rows  int
	reads int
}

func (c *spy) read(ctx context.Context, query string, args []any, limit time.Duration, f func([]any) error) error {
	c.reads++
	if _, ok := c.s.dialect.(mysqlDialect); ok {
		before := c.handled(ctx)
		err := c.conn.read(ctx, query, args, limit, f)
		c.rows += c.handled(ctx) - before
		return err
	}
	var plan []string
	err := c.conn.read(ctx, "EXPLAIN (ANALYZE, BUFFERS) "+query, args, limit, func(v []any) error {
		plan = append(plan, v[0].(string))
		return nil
	})
	if err != nil {
		return err
	}
	for _, line := range plan {
		if strings.Contains(line, "Seq Scan") {
			c.t.Errorf("%s: %s", query, strings.Join(plan, "\n"))
		}
		for _, mark := range []string{" rows=", "Rows Removed by Filter: "} {
			if i := strings.LastIndex(line, mark); i >= 0 {
				n, _ := strconv.Atoi(strings.FieldsFunc(line[i+len(mark):], func(r rune) bool { return r < '0' || r > '9' })[0])
				c.rows += n
			}
		}
	}
	return c.conn.read(ctx, query, args, limit, f)
}

// handled is how many rows the connection has read so far, by MariaDB's own count.
func (c *spy) handled(ctx context.Context) (n int) {
	const counters = "SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME IN ('HANDLER_READ_KEY', 'HANDLER_READ_NEXT', 'HANDLER_READ_PREV', 'HANDLER_READ_RND_NEXT', 'HANDLER_READ_FIRST', 'HANDLER_READ_LAST')"
	err := c.conn.read(ctx, counters, nil, time.Second, func(v []any) error {
		switch v := v[0].(type) {
		case float64:
			n = int(v)
		case decimal:
			n, _ = strconv.Atoi(strings.SplitN(string(v), ".", 2)[0])
		}
		return nil
	})
	if err != nil {
		c.t.Error(err)
	}
	return n
}

func TestServers_read_only_what_is_new_of_a_million_rows(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a million rows")
	}
	eachServer(t, func(t *testing.T, s server) {
		host := s.own(t)
		name, db := host.Database(t)
		s.large(func(statements ...string) { dbtest.Exec(t, db, statements...) })
		for what, fields := range map[string]map[string]any{
			"the key":                 {},
			"an instant and the key":  {"cursor": "at"},
			"a text and the key":      {"cursor": "label"},
			"an exact number":         {"cursor": "amount"},
			"a large number":          {"cursor": "big"},
			"a time of no zone":       {"cursor": "made"},
			"two columns and the key": {"cursor": []any{"at", "label"}},
		} {
			t.Run(what, func(t *testing.T) {
				r := onServer(t, host.URL(name), "runs", fields)
				made, err := triggers.Make(r.kind, r.fields)
				if err != nil {
					t.Fatal(err)
				}
				source := made.Source.(*source)
				c := &spy{conn: connectTo(t, s.dialect, host.URL(name)), t: t, s: s}
				table, err := c.describe(t.Context(), source.table)
				if err != nil {
					t.Fatal(err)
				}
				l, err := lay(table, source.wish)
				if err != nil {
					t.Fatal(err)
				}
				shelf := &reading{c: c, d: s.dialect, l: l, limit: prompt}
				c.rows = 0
				f, err := begin(t.Context(), shelf, time.Now(), source.reach(l))
				if err != nil {
					t.Fatal(err)
				}
				beginning := c.rows
				insert := "INSERT INTO runs (at, label, amount, big, made) VALUES ('2027-01-01', 'new', 9999999, 9999999, '2027-01-01'), ('2027-01-01', 'newer', 9999999.5, 10000000, '2027-01-02')"
				dbtest.Exec(t, db, insert)
				t.Cleanup(func() {
					_, _ = db.ExecContext(context.WithoutCancel(t.Context()), fmt.Sprintf("DELETE FROM runs WHERE id > %d", million))
				})
				var found int
				for range 3 {
					c.rows, c.reads = 0, 0
					p, err := f.look(t.Context(), shelf, time.Now(), 1000, source.reach(l))
					if err != nil {
						t.Fatal(err)
					}
					found += len(p.rows())
					if most := 5 * baseline; c.rows > most { // PostgreSQL counts a row at each step of a plan
						t.Errorf("a poll read %d rows, more than %d", c.rows, most)
					}
				}
				if found != 2 || beginning > 5*baseline {
					t.Errorf("%d rows are found; the beginning read %d", found, beginning)
				}
				t.Logf("the beginning read %d rows, the last poll %d in %d statements", beginning, c.rows, c.reads)
			})
		}
	})
}
