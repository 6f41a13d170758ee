package database

import (
	"path/filepath"
	"testing"

	"github.com/latticed/latticed/triggers/triggertest"
)

func TestSuite_SQLite(t *testing.T) {
	for name, c := range map[string]struct {
		journal string
		fields  map[string]any
	}{
		"wal":         {"wal", nil},
		"rollback":    {"delete", nil},
		"composite":   {"wal", map[string]any{"cursor": []any{"at"}}},
		"version":     {"delete", map[string]any{"version": "at"}},
		"whim":        {"wal", map[string]any{"where_clauses": "at <= datetime('now', '+1 day')"}}, // polled in any case
		"by_database": {"wal", map[string]any{}},
	} {
		t.Run(name, func(t *testing.T) {
			writers := map[string]*writer{}
			sqlite, database, _ := New(Options{})
			suite := triggertest.Suite{
				Kind: sqlite,
				Fields: func(t *testing.T) map[string]any {
					path := filepath.Join(t.TempDir(), "lab.db")
					w := startWriter(t, path, 5)
					w.do("PRAGMA journal_mode=" + c.journal)
					w.do("CREATE TABLE runs (id INTEGER PRIMARY KEY, at TEXT NOT NULL, done BOOLEAN)")
					w.do("INSERT INTO runs VALUES (1, datetime('now'), 0), (2, datetime('now'), 1)")
					fields := map[string]any{"db_path": path, "table_name": "runs", "poll_interval": "50ms"}
					if name == "by_database" {
						fields["db_path"] = "sqlite:///" + path
					}
					for k, v := range c.fields {
						fields[k] = v
					}
					writers[path] = w
					writers["sqlite:///"+path] = w
					return fields
				},
				Happen: func(t *testing.T, fields map[string]any, _ int) {
					writers[fields["db_path"].(string)].do("INSERT INTO runs (at, done) VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 1)")
				},
			}
			if name == "by_database" {
				suite.Kind = database
			}
			suite.Run(t)
		})
	}
}
