package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"gorm.io/gorm"
)

const (
	heldKey     = "held"                   // of meta: when it was restored
	backedUpKey = "held_backup"            // of meta: when its backup was made
	lostHandle  = `{"boot_id":"restored"}` // of attempts that ran when the backup was made

	// restoredDatabase is the database until it is whole.
	restoredDatabase = databaseName + ".restoring"
)

// Restore verifies the backup in from and copies it into the state directory to, which
// must be empty, or hold what a restore that was broken off has left. A store opened
// there is held (see Held). Killed at any moment it leaves a directory that is as it was
// before, or one that Open refuses; after an error nothing of it is left.
func Restore(ctx context.Context, from, to string) (*Verified, error) {
	v, err := restore(ctx, from, to)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; run it as the user that the daemon runs as", err)
	}
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", from, storageError(err))
	}
	return v, nil
}

func restore(ctx context.Context, from, to string) (*Verified, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return nil, err
	}
	if to, err = target(to); err != nil {
		return nil, err
	}
	if _, err := readManifest(from); err != nil { // before anything is made
		return nil, err
	}
	c, err := claim(from, to)
	if err != nil {
		return nil, err
	}
	v, err := c.fill(ctx, from)
	if err != nil {
		return nil, errors.Join(err, c.abandon())
	}
	return v, c.lock.Close()
}

// fill makes the directory whole; the mark goes last.
func (c *site) fill(ctx context.Context, from string) (*Verified, error) {
	v, err := verify(ctx, from)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(clearRestored(c.dir), makeDirs(c.dir)); err != nil {
		return nil, err
	}
	if err := roomFor(c.dir, v.Bytes); err != nil {
		return nil, err
	}
	for _, f := range v.Manifest.Files {
		name := filepath.FromSlash(f.Name)
		if f.Name == databaseName {
			name = restoredDatabase
		}
		if err := f.copy(ctx, filepath.Join(from, filepath.FromSlash(f.Name)), filepath.Join(c.dir, name)); err != nil {
			return nil, err
		}
	}
	if err := markHeld(ctx, filepath.Join(c.dir, restoredDatabase), v.Manifest.CreatedAt); err != nil {
		return nil, err
	}
	if err := giveAway(c.dir); err != nil {
		return nil, err
	}
	if err := syncAll(c.dir); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(c.dir, restoredDatabase), filepath.Join(c.dir, databaseName)); err != nil {
		return nil, err
	}
	return v, errors.Join(syncDir(c.dir), os.Remove(filepath.Join(c.dir, restoringMark)), syncDir(c.dir))
}

// roomFor refuses what would fill a disk.
func roomFor(dir string, need int64) error {
	const spare = 64 << 20
	free, _, err := Space(dir)
	if err == nil && free < need+spare {
		err = fmt.Errorf("%w: %d bytes are needed in %s, %d are free", ErrDiskFull, need+spare, dir, free)
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
	return filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if filepath.Dir(name) == dir && notOurs(e.Name()) {
			return filepath.SkipDir
		}
		return os.Lchown(name, uid, gid)
	})
}

func owner(path string) (uid, gid int, err error) {
	var st unix.Stat_t
	err = again(func() error { return unix.Stat(path, &st) })
	return int(st.Uid), int(st.Gid), err
}

// syncAll makes everything on the file system of a directory durable.
func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(again(func() error { return unix.Syncfs(int(f.Fd())) }), f.Close())
}
