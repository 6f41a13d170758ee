package database

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestClauses(t *testing.T) {
	for clause, want := range map[string]string{
		"status = 'done'":               "",
		"name = 'it''s; (fine)'":        "",
		`"a;b" > 1 AND (c IN (1, 2))`:   "",
		"a = 1 -- a comment; with )":    "",
		"a = 1 /* ; ) */ AND b = 2":     "",
		"name = `x;`":                   "",
		"":                              "is empty",
		" \n":                           "is empty",
		"1=1; DROP TABLE samples":       "one condition",
		"1=1) OR (1=1":                  "not opened",
		"(a = 1":                        "does not close",
		"a = 'x":                        "not closed",
		"a = 1 /* open":                 "does not end",
		"a = \x00":                      "zero byte",
		"1=1 -- x\n) UNION SELECT (1":   "not opened",
		"'a' || \"b = 'c'":              "not closed",
		"a = 'b' /* ' */ ; SELECT '*/'": "one condition",
	} {
		err := checkClause(clause)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", clause, err, want)
		}
	}
}

func TestClauses_whose_answer_changes_by_itself_are_known(t *testing.T) {
	for clause, want := range map[string]bool{
		"status = 'done'":           true,
		"name LIKE '%now%'":         true,
		"at < datetime('now')":      false,
		"at < CURRENT_TIMESTAMP":    false,
		"random() % 2":              false,
		"n > 3 AND date(x) = '…'":   false,
		"candidate = 1 AND (b = 2)": false, // polled once too often, which harms nobody
	} {
		if got := steady([]string{"a = 1", clause}); got != want {
			t.Errorf("%q: steady %v, want %v", clause, got, want)
		}
	}
}

// Whatever the owner writes: it is refused, or it is one condition inside of its
// parentheses, and SQLite reads no second statement.
func FuzzClauses(f *testing.F) {
	for _, s := range []string{"a = 1", "a = 'x'", "(a)", "1) OR (1", "'--", "/*", "*/", "a -- )", "\"", "`", "[;]", "a;b", "$$;$$"} {
		f.Add(s)
	}
	path := filepath.Join(f.TempDir(), "f.db")
	db := openForTest(f, path)
	if _, err := db.Exec("CREATE TABLE samples (id INTEGER PRIMARY KEY, name TEXT)"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, clause string) {
		if checkClause(clause) != nil {
			return
		}
		rows, err := db.Query("EXPLAIN SELECT id FROM samples WHERE " + enclosed(clause) + " AND " + enclosed("id > 0") + " LIMIT 1")
		if err != nil {
			return
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			values := make([]any, 8)
			into := make([]any, 8)
			for i := range into {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			switch values[1] {
			case "OpenWrite", "Destroy", "Clear", "ParseSchema", "Vacuum", "CreateBtree":
				t.Fatalf("%q becomes %v", clause, values[1])
			}
		}
		if err := rows.Err(); err != nil {
			t.Logf("%q: %v", clause, err)
		}
	})
}
