package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	_ "github.com/glebarez/go-sqlite" // named here so that its SQLite, not an older one, is linked
	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// minSQLite has the fix of the race that could corrupt a WAL when it was reset.
const minSQLite = "3.51.3"

// writerDSN names the database for the one connection that writes. auto_vacuum comes
// first: it counts only before the first table. temp_store keeps the journals of
// savepoints in memory.
func writerDSN(path string, o Options) string {
	return dsn(path, "rwc", o,
		"auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"temp_store(MEMORY)", "cache_size(-8000)", "journal_size_limit(67108864)")
}

func readerDSN(path string, o Options) string {
	return dsn(path, "ro", o, "query_only(1)", "temp_store(MEMORY)")
}

func dsn(path, mode string, o Options, pragmas ...string) string {
	q := url.Values{"mode": {mode}}
	if mode != "ro" {
		q.Set("_txlock", "immediate")
	}
	q.Add("_pragma", "busy_timeout("+strconv.FormatInt(o.BusyTimeout.Milliseconds(), 10)+")")
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// openHandle opens a pool of up to n connections. The driver compiles a statement at
// each execution, prepared or not, so gorm's PrepareStmt would only keep dead entries.
func openHandle(name string, n int) (*gorm.DB, error) {
	pool, err := sql.Open(sqlite.DriverName, name)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	db, err := gorm.Open(&sqlite.Dialector{Conn: pool}, &gorm.Config{
		Logger:                 logger.Discard,
		SkipDefaultTransaction: true,
		TranslateError:         true,
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return db, nil
}

func closeHandle(db *gorm.DB) error {
	if db == nil {
		return nil
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// checkVersion refuses a SQLite that could lose what was acknowledged.
func checkVersion(ctx context.Context, db *gorm.DB) error {
	var v string
	if err := db.WithContext(ctx).Raw("SELECT sqlite_version()").Scan(&v).Error; err != nil {
		return err
	}
	if olderThan(v, minSQLite) {
		return fmt.Errorf("this build holds SQLite %s, which can corrupt a database; at least %s is needed", v, minSQLite)
	}
	return nil
}

// olderThan compares dotted numbers; what is not a number counts as 0.
func olderThan(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var p, q int
		if i < len(x) {
			p, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			q, _ = strconv.Atoi(y[i])
		}
		if p != q {
			return p < q
		}
	}
	return false
}
