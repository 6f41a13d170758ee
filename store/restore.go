package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"gorm.io/gorm"
)

const (
	restoringMark = "restoring"              // in a state directory that is not whole yet
	heldKey       = "held"                   // of meta: when it was restored
	backedUpKey   = "held_backup"            // of meta: when its backup was made
	lostHandle    = `{"boot_id":"restored"}` // of attempts that ran when the backup was made
)

// NotEmptyError means that a state directory holds something already.
type NotEmptyError struct{ Dir, Name string }

func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("the directory %s is not empty (%s is there); choose another for --state-dir, or move that one away", e.Dir, e.Name)
}

// RestoringError means that a restore into a state directory was broken off.
type RestoringError struct{ Dir string }

func (e *RestoringError) Error() string {
	return fmt.Sprintf("a restore into %s was broken off; run latticed restore again with the same --state-dir", e.Dir)
}

// Restore verifies the backup in from and copies it into the state directory to, which
// must be empty, or hold what a restore that was broken off has left. A store opened
// there is held (see Held). Broken off at any moment it leaves a directory that Open
// refuses.
func Restore(ctx context.Context, from, to string) (*Verified, error) {
	v, err := restore(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", from, storageError(err))
	}
	return v, nil
}

func restore(ctx context.Context, from, to string) (*Verified, error) {
	v, err := verify(ctx, from)
	if err != nil {
		return nil, err
	}
	to, err = filepath.Abs(to)
	if err != nil {
		return nil, err
	}
	if err := vacant(to); err != nil { // before anything is made
		return nil, err
	}
	if err := makeDirs(to); err != nil {
		return nil, err
	}
	if err := checkFilesystem(to, filesystemKind); err != nil {
		return nil, err
	}
	lock, err := lockDir(to, time.Now())
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := vacant(to); err != nil {
		return nil, err
	}
	if err := clearRestored(to); err != nil {
		return nil, err
	}
	mark := filepath.Join(to, restoringMark)
	if err := errors.Join(os.WriteFile(mark, nil, 0o600), syncFile(mark), syncDir(to)); err != nil {
		return nil, err
	}
	for _, f := range v.Manifest.Files {
		name := filepath.FromSlash(f.Name)
		if f.Name == databaseName {
			name = restoredDatabase
		}
		if err := f.copy(ctx, filepath.Join(from, filepath.FromSlash(f.Name)), filepath.Join(to, name)); err != nil {
			return nil, err
		}
	}
	if err := markHeld(ctx, filepath.Join(to, restoredDatabase), v.Manifest.CreatedAt); err != nil {
		return nil, err
	}
	if err := giveAway(to); err != nil {
		return nil, err
	}
	if err := syncAll(to); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(to, restoredDatabase), filepath.Join(to, databaseName)); err != nil {
		return nil, err
	}
	return v, errors.Join(syncDir(to), os.Remove(mark), syncDir(to))
}

// restoredDatabase is the database until it is whole.
const restoredDatabase = databaseName + ".restoring"

// ours are the names of what a state directory may have while it holds nothing.
func ours(name string, broken bool) bool {
	switch name {
	case "lock", restoringMark:
		return true
	case "assets", "uploads", "incoming":
		return true // looked into by vacant
	}
	return broken && strings.HasPrefix(name, databaseName)
}

// vacant refuses a directory with something in it.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(dir, restoringMark))
	broken := err == nil
	for _, e := range entries {
		if !ours(e.Name(), broken) {
			return &NotEmptyError{dir, e.Name()}
		}
		info, err := os.Stat(filepath.Join(dir, e.Name())) // also where a link leads
		if err != nil {
			return err
		}
		if !info.IsDir() || broken && e.Name() == "assets" {
			continue
		}
		inner, err := os.ReadDir(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if len(inner) > 0 {
			return &NotEmptyError{dir, filepath.Join(e.Name(), inner[0].Name())}
		}
	}
	return nil
}

// clearRestored removes what a restore that was broken off has left; vacant has looked.
func clearRestored(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, databaseName+"*"))
	if err != nil {
		return err
	}
	assets, err := filepath.Glob(filepath.Join(dir, "assets", "*"))
	for _, name := range append(left, assets...) {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}

// markHeld makes the database one that holds everything, and in which nothing runs:
// whether attempts of then still do, or have ended, nobody here can know.
func markHeld(ctx context.Context, file string, made time.Time) error {
	db, err := openHandle(dsn(file, "rw", Options{}.withDefaults(), "journal_mode(DELETE)", "synchronous(FULL)", "foreign_keys(1)"), 1)
	if err != nil {
		return err
	}
	err = db.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		for key, at := range map[string]time.Time{heldKey: time.Now(), backedUpKey: made} {
			if err := db.Exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", key, at.UnixMicro()).Error; err != nil {
				return err
			}
		}
		return db.Exec("UPDATE attempts SET handle = ? WHERE status = 'running' OR status = 'unknown'", lostHandle).Error
	})
	return errors.Join(err, closeHandle(db))
}

// giveAway gives everything to the owner of the directory: root may restore for others.
func giveAway(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := owner(dir)
	if err != nil {
		return err
	}
	if uid == 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, uid, gid)
	})
}

func owner(path string) (uid, gid int, err error) {
	var st unix.Stat_t
	err = unix.Stat(path, &st)
	return int(st.Uid), int(st.Gid), err
}

// syncAll makes everything on the file system of a directory durable.
func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
