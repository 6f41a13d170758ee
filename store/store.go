package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gorm.io/gorm"
)

const databaseName = "latticed.db"

// Store keeps everything that must survive. Its methods may be called from any
// goroutine.
type Store struct {
	o      Options
	dir    string
	opened time.Time
	lock   *os.File
	pin    *pin
	read   *gorm.DB
	write  *gorm.DB // of the writer's goroutine, after Open
	lanes  *lanes

	writer   *writer
	watchers *watchers
	counters counters
	compiled compiledCache
	files    files
	pieces   pieces
	incoming incoming

	pruning sync.Mutex // one Prune at a time

	wakeKeeper chan struct{}
	swept      chan struct{} // closed when the keeper has looked once

	stop      context.CancelFunc // ends the keeper
	keeping   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Open opens the state directory, creating it when it is new, and takes its lock.
// Errors a person can do something about: *LockedError, *NetworkError, *SchemaError,
// *RestoringError, ErrDiskFull, ErrBusy.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	return open(ctx, dir, o, filesystemKind)
}

func open(ctx context.Context, dir string, o Options, kind func(string) (int64, error)) (_ *Store, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{o: o.withDefaults(), dir: dir, wakeKeeper: make(chan struct{}, 1), swept: make(chan struct{})}
	s.watchers = newWatchers()
	s.opened = s.o.Now()
	s.files.dir = filepath.Join(dir, "assets")
	s.pieces.dir = filepath.Join(dir, "uploads")
	s.incoming.dir = filepath.Join(dir, "incoming")
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if err := makeDirs(dir); err != nil {
		return nil, err
	}
	for _, at := range []string{dir, DatabaseDir(dir)} {
		if err := checkFilesystem(at, kind); err != nil {
			return nil, err
		}
	}
	if s.lock, err = lockDir(dir, s.opened); err != nil {
		return nil, err
	}
	if err := restored(dir); err != nil {
		return nil, err
	}
	if err := s.incoming.tidy(); err != nil {
		return nil, err
	}
	if err := sweepBackups(dir); err != nil {
		return nil, err
	}
	if err := s.openDatabase(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Join(dir, databaseName), storageError(err))
	}
	if err := s.start(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Join(dir, databaseName), storageError(err))
	}
	return s, nil
}

// makeDirs creates what is missing. The runner's user may pass through the state
// directory to work/ and read incoming/, and enter neither assets/ nor the database.
func makeDirs(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	for d, mode := range map[string]fs.FileMode{
		dir: 0o711, filepath.Join(dir, "assets"): 0o700, filepath.Join(dir, "uploads"): 0o700, filepath.Join(dir, "incoming"): 0o755,
	} {
		if err := os.MkdirAll(d, mode); err != nil {
			return err
		}
		if err := os.Chmod(d, mode); err != nil {
			return fmt.Errorf("%w; the state directory must belong to the user the daemon runs as", err)
		}
	}
	return nil
}

func (s *Store) openDatabase(ctx context.Context) error {
	file := filepath.Join(s.dir, databaseName)
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) // SQLite gives its -wal and -shm the same mode
	if err != nil {
		return err
	}
	err = f.Chmod(0o600)
	f.Close()
	if err != nil {
		return err
	}
	s.pin = newPin()
	if s.write, err = openHandle(writerDSN(file, s.o), 1); err != nil {
		return err
	}
	if err := checkVersion(ctx, s.write); err != nil {
		return err
	}
	ms, err := migrations()
	if err != nil {
		return err
	}
	if err := migrate(ctx, s.write, file, ms); err != nil {
		return err
	}
	if err := syncDir(s.dir); err != nil {
		return err
	}
	s.lanes = newLanes(s.o.Readers)
	s.read, err = openHandle(readerDSN(file, s.o), s.o.Readers+cap(s.lanes.turns))
	return err
}

// start reads what the writer keeps in memory and starts the goroutines.
func (s *Store) start(ctx context.Context) error {
	seq, err := lastSeq(ctx, s.write)
	if err != nil {
		return err
	}
	if err := s.counters.load(ctx, s.write); err != nil {
		return err
	}
	s.compiled.max = s.o.Lattices
	if s.writer, err = newWriter(ctx, s, seq); err != nil {
		return err
	}
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.keeping.Go(func() { s.writer.run() })
	s.keeping.Go(func() { s.keep(keep) })
	return nil
}

// Close commits what was accepted, refuses the rest with ErrClosed, and lets go of the
// directory. Readers must have ended.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.stop()
		s.writer.close()
		s.keeping.Wait()
		s.watchers.closeAll()
		s.closeErr = s.release()
	})
	return s.closeErr
}

// release gives back whatever Open got; the writer's handle last, since the last
// connection moves the write-ahead log into the database.
func (s *Store) release() error {
	var err error
	if s.lanes != nil {
		err = s.lanes.close()
	}
	err = errors.Join(err, closeHandle(s.read), closeHandle(s.write))
	if s.pin != nil {
		s.pin.close()
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}
