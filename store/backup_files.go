package store

import (
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
	"gorm.io/gorm"
)

// hold keeps the files of assets that are let go of, until letGo.
func (f *files) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holders++
}

// letGo ends a hold; after the last one the files that no row names any more are removed.
func (s *Store) letGo(ctx context.Context) error {
	s.files.mu.Lock()
	var doomed []string
	if s.files.holders--; s.files.holders == 0 {
		doomed, s.files.doomed = s.files.doomed, nil
	}
	s.files.mu.Unlock()
	for part := range slices.Chunk(doomed, letGoBatch) {
		err := s.change(ctx, func(t *tx) error { return t.removeUnnamed(part) })
		if err != nil { // what stays is swept at the next start
			return err
		}
	}
	return nil
}

// letGoBatch is how many files go while others wait.
const letGoBatch = 50

// removeUnnamed removes files unless somebody has stored them again.
func (t *tx) removeUnnamed(names []string) error {
	for _, name := range names {
		sha, err := hash(name)
		if err != nil {
			return err
		}
		var rows int
		if err := t.row("SELECT count(*) FROM assets WHERE sha256 = ?", []any{sha}, &rows); err != nil {
			return err
		}
		if rows == 0 {
			t.after(func() { t.w.s.files.remove(name) })
		}
	}
	return nil
}

// frozenDSN names a database that nobody writes, so that nothing is made beside it.
func frozenDSN(file string, o Options) string {
	name := readerDSN(file, o)
	return name + "&" + url.Values{"immutable": {"1"}}.Encode()
}

// eachFile calls f for every asset that is a file.
func eachFile(ctx context.Context, db *gorm.DB, f func(name string, size int64) error) error {
	rows, err := db.WithContext(ctx).Raw("SELECT sha256, size FROM assets WHERE data IS NULL AND size > 0 ORDER BY sha256").Rows()
	return each(rows, err, func(r rowScanner) error {
		var sha []byte
		var size int64
		if err := r.Scan(&sha, &size); err != nil {
			return err
		}
		return f(hex.EncodeToString(sha), size)
	})
}

// Space returns how many bytes are free for us where a folder is, and how many there are.
func Space(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	err = again(func() error { return unix.Statfs(filepath.Clean(dir), &st) })
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, err //nolint:gosec // sizes of disks
}

// again repeats a call that a signal has broken off.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
