package database

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

// onPage is a file of the page for users.
func onPage(t *testing.T, file string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/triggers-database.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```sql file="+file+"\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("the page has no file %s", file)
	}
	return text
}

func TestServer_the_user_of_the_page_can_be_watched_with_and_writes_nothing(t *testing.T) {
	const user = "reader_of_the_page"
	eachServer(t, func(t *testing.T, s server) {
		host := s.shared(t)
		name, db := host.Database(t)
		dbtest.Exec(t, db, "CREATE TABLE runs (id "+s.counted()+", sample text)", "CREATE TABLE others (id int)")
		file, over := "postgresql.sql", map[string]any{"listen": "new_runs", "poll_interval": "1h"}
		_, isMySQL := s.dialect.(mysqlDialect)
		if isMySQL {
			file, over = "mariadb.sql", nil
		} else {
			dbtest.Exec(t, db, onPage(t, "notify.sql"))
		}
		t.Cleanup(func() {
			ctx := context.WithoutCancel(t.Context())
			_, _ = db.ExecContext(ctx, "DROP OWNED BY "+user) // the server goes anyway
			_, _ = db.ExecContext(ctx, "DROP USER "+user)
		})
		text := strings.NewReplacer("reader", user, "results.", name+".").Replace(onPage(t, file))
		for statement := range strings.SplitSeq(strings.TrimSpace(text), ";\n") {
			dbtest.Exec(t, db, strings.TrimSuffix(statement, ";"))
		}

		r := onServer(t, host.URLFor(user, "secret", name), "runs", over)
		stop := r.start()
		r.active()
		dbtest.Exec(t, db, "INSERT INTO runs (sample) VALUES ('A-17')")
		r.has("1")
		stop()

		driver, source := "pgx", host.URLFor(user, "secret", name)+"?sslmode=disable"
		if isMySQL {
			driver, source = "mysql", fmt.Sprintf("%s:secret@tcp(%s:%d)/%s", user, host.Host, host.Port, name)
		}
		reader, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		if err := reader.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{"INSERT INTO runs (sample) VALUES ('x')", "DELETE FROM runs", "SELECT * FROM others"} {
			if _, err := reader.ExecContext(t.Context(), statement); err == nil {
				t.Errorf("the user may say %s", statement)
			}
		}
	})
}
