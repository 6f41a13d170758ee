package store

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
)

// backedUp writes a backup of s into a new folder, as the CLI does.
func backedUp(t testing.TB, s *Store) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "backup")
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := s.Backup(t.Context(), w, "test")
		_ = w.CloseWithError(err)
		done <- err
	}()
	unpack(t, r, dir)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return dir
}

func unpack(t testing.TB, r io.Reader, dir string) {
	t.Helper()
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		body, err := io.ReadAll(tr)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, body, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever is written meanwhile: the backup is one moment. Each dispatch in it has its
// electrons, each asset named is there.
func TestBackup_is_one_moment_while_64_write(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	for i := range 50 {
		withAssets(t, s, l, fmt.Sprint("before", i))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	var longest, writes atomic.Int64
	for w := range 64 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				began := time.Now()
				if err := lifetime(s, l, fmt.Sprintf("%d-%d", w, i)); err != nil {
					t.Error(err)
					return
				}
				took := time.Since(began).Microseconds() / 4 // units one after the other
				for old := longest.Load(); took > old && !longest.CompareAndSwap(old, took); old = longest.Load() {
				}
				writes.Add(4)
			}
		})
	}
	quiet := writes.Load()
	began := time.Now()
	var dirs []string
	for range 3 {
		dirs = append(dirs, backedUp(t, s))
	}
	t.Logf("three backups in %s beside %d writes, the longest about %s", time.Since(began), writes.Load()-quiet, time.Duration(longest.Load())*time.Microsecond)
	stop()
	wg.Wait()
	for _, dir := range dirs {
		v, err := Verify(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(t.TempDir(), "state")
		if _, err := Restore(t.Context(), dir, to); err != nil {
			t.Fatal(err)
		}
		r := openAt(t, to, Options{})
		if n := rows(t, r, "dispatches"); int64(n) != v.Dispatches || n < 50 {
			t.Errorf("%d dispatches, verified were %d", n, v.Dispatches)
		}
		if n := rows(t, r, "dispatches d WHERE status = 'completed' AND (SELECT count(*) FROM electrons e WHERE e.dispatch = d.number AND e.status = 'completed') <> 1"); n > 0 {
			t.Errorf("%d completed dispatches are without their electron", n)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, backupPrefix+"*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// lifetime runs a dispatch to its end in four changes, with a file, and deletes every
// other one again.
func lifetime(s *Store, l *graph.Lattice, mark string) error {
	ctx := background()
	d, err := s.InsertDispatch(ctx, dispatchOf(l))
	if err != nil {
		return err
	}
	at := start(0, 1, "a"+mark)
	if err := s.Advance(ctx, graph.Step{Dispatch: d.ID, Begin: s.o.Now(), Starts: []graph.AttemptStart{at}}); err != nil {
		return err
	}
	large, err := s.StageAsset(ctx, strings.NewReader(mark+strings.Repeat("x", inlineMax)))
	if err != nil {
		return err
	}
	c := change(0, graph.Running, graph.Completed)
	c.Result = &large.Asset
	if err := s.Advance(ctx, graph.Step{
		Dispatch: d.ID, Assets: []graph.NewAsset{large}, Ends: []graph.AttemptEnd{end(0, 1, "a"+mark, graph.Completed)},
		Electrons: []graph.ElectronChange{c}, Finish: &graph.DispatchEnd{Status: graph.Completed},
	}); err != nil {
		return err
	}
	if len(mark)%2 == 0 {
		return s.DeleteDispatch(ctx, d.ID)
	}
	return nil
}

func TestBackup_files_let_go_of_meanwhile_are_removed_after_it(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	d := withAssets(t, s, l, "1")
	before := len(filesOf(t, s))
	s.files.hold()
	s.files.hold()
	if err := s.DeleteDispatch(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	again := must(s.StageAsset(t.Context(), bytes.NewReader(bytes.Repeat([]byte("1"), 1<<16))))(t) // wanted once more
	if err := s.letGo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(filesOf(t, s)); n != before {
		t.Errorf("%d files while one still copies, want %d", n, before)
	}
	if err := s.letGo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := filesOf(t, s); len(got) != 1 {
		t.Errorf("left are %v, want the one that was staged again", got)
	}
	s.files.unstage(again)
}

func TestVerify_names_the_file_that_is_wrong(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	withAssets(t, s, l, "1")
	whole := backedUp(t, s)
	asset, err := filepath.Glob(filepath.Join(whole, "assets", "*", "*"))
	if err != nil || len(asset) != 2 {
		t.Fatal(asset, err)
	}
	one, _ := filepath.Rel(whole, asset[0])
	flip := func(t *testing.T, at int64) func(string) {
		return func(file string) {
			f, err := os.OpenFile(file, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, at); err != nil {
				t.Fatal(err)
			}
			b[0] ^= 1
			if _, err := f.WriteAt(b, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut := func(file string) {
		if err := os.Truncate(file, 1000); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(file string) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		file string
		hurt func(string)
		want string
	}{
		"a changed asset":       {one, flip(t, 17), "was changed"},
		"a truncated asset":     {one, cut, "has 1000 bytes instead of"},
		"a missing asset":       {one, gone, "is missing"},
		"a changed database":    {databaseName, flip(t, 5000), "was changed"},
		"a truncated database":  {databaseName, cut, "has 1000 bytes instead of"},
		"a missing database":    {databaseName, gone, "is missing"},
		"a missing manifest":    {manifestName, gone, "not a whole one"},
		"a truncated manifest":  {manifestName, func(f string) { _ = os.Truncate(f, 50) }, "can't be read"},
		"a file that is added":  {"assets/zz", func(f string) { _ = os.WriteFile(f, nil, 0o600) }, "is not in the manifest"},
		"a log of the database": {databaseName + "-wal", func(f string) { _ = os.WriteFile(f, []byte("x"), 0o600) }, "is not in the manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			test.hurt(filepath.Join(dir, test.file))
			_, err := Verify(t.Context(), dir)
			var d *DamagedError
			if !errors.As(err, &d) || d.File != filepath.ToSlash(test.file) || !strings.Contains(d.Problem, test.want) {
				t.Errorf("%v", err)
			}
			to := filepath.Join(t.TempDir(), "state")
			if _, err := Restore(t.Context(), dir, to); !errors.As(err, &d) {
				t.Errorf("restored: %v", err)
			}
			if _, err := os.Stat(to); err == nil {
				t.Error("something was made")
			}
		})
	}
}

// Somebody may have changed a backup and its manifest alike.
func TestVerify_does_not_believe_the_manifest_alone(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	withAssets(t, s, l, "1")
	whole := backedUp(t, s)
	for name, test := range map[string]struct{ do, file string }{
		"an asset that nobody has": {"UPDATE electrons SET pickle = zeroblob(32)", databaseName},
		"a log that nobody has":    {"UPDATE electrons SET stdout = zeroblob(32)", databaseName},
		"other bytes":              {"UPDATE assets SET data = x'00' WHERE data IS NOT NULL", databaseName},
		"a file that nobody has":   {"UPDATE assets SET size = size + 1 WHERE data IS NULL", "assets/"},
		"a row of nothing":         {"INSERT INTO dispatch_labels VALUES (4711, 'a', 'b', 0)", databaseName},
		"no database of ours":      {"DROP TABLE migrations", databaseName},
		"a schema nobody has seen": {"UPDATE migrations SET id = '9999_future' WHERE id LIKE '0004%'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, databaseName)
			db, err := openHandle(dsn(file, "rw", s.o, "foreign_keys(0)"), 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Exec(test.do).Error, closeHandle(db)); err != nil {
				t.Fatal(err)
			}
			rewrite(t, dir)
			_, err = Verify(t.Context(), dir)
			var d *DamagedError
			var sc *SchemaError
			if test.file == "" && !errors.As(err, &sc) || test.file != "" && (!errors.As(err, &d) || !strings.HasPrefix(d.File, test.file)) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestVerify_tells_a_folder_that_is_not_there_from_one_that_is_no_backup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bakcup")
	if _, err := Verify(t.Context(), dir); err == nil || err.Error() != "verify "+dir+": there is no such folder" {
		t.Error(err)
	}
}

// rewrite makes the manifest say that the database is as it is.
func rewrite(t *testing.T, dir string) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	m := must(readManifest(dir))(t)
	i := slices.IndexFunc(m.Files, func(f BackupFile) bool { return f.Name == databaseName })
	m.Files[i].SHA256, m.Files[i].Size = shaOf(string(body)), int64(len(body))
	text := must(m.sealed())(t)
	if err := os.WriteFile(filepath.Join(dir, manifestName), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRestore(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	withAssets(t, s, l, "1")
	running := claimed(t, s, l)
	advance(t, s, graph.Step{Dispatch: running.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
	dir := backedUp(t, s)

	t.Run("it is held until somebody says otherwise", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "state")
		v := must(Restore(t.Context(), dir, to))(t)
		r := openAt(t, to, Options{})
		h, held, err := r.Held(t.Context())
		if err != nil || !held || h.Backup.Sub(v.Manifest.CreatedAt).Abs() > time.Millisecond || h.Since.Before(h.Backup) {
			t.Errorf("%+v %v %v", h, held, err)
		}
		if n := rows(t, r, `attempts WHERE status = 'running' AND handle LIKE '%restored%'`); n != 1 {
			t.Error("the attempt that ran can't be told from one that runs here")
		}
		for i := range 2 {
			if did := must(r.EndHold(t.Context()))(t); did != (i == 0) {
				t.Errorf("ending it the %d. time says %v", i+1, did)
			}
		}
		if _, held, _ := reopen(t, r).Held(t.Context()); held {
			t.Error("it is held again")
		}
	})
	t.Run("never over something", func(t *testing.T) {
		to := t.TempDir()
		if err := os.WriteFile(filepath.Join(to, "thesis.tex"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var full *NotEmptyError
		if _, err := Restore(t.Context(), dir, to); !errors.As(err, &full) || full.Name != "thesis.tex" {
			t.Errorf("%v", err)
		}
		if _, err := Restore(t.Context(), dir, s.dir); !errors.As(err, &full) {
			t.Errorf("%v", err)
		}
	})
	t.Run("nor over what a link leads to", func(t *testing.T) {
		to, photos := t.TempDir(), t.TempDir()
		for _, f := range []string{"one.jpg", "two.jpg"} {
			if err := os.WriteFile(filepath.Join(photos, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(photos, filepath.Join(to, "assets")); err != nil {
			t.Fatal(err)
		}
		var full *NotEmptyError
		if _, err := Restore(t.Context(), dir, to); !errors.As(err, &full) || full.Name != "assets/one.jpg" {
			t.Errorf("%v", err)
		}
	})
	t.Run("one that was broken off is neither opened nor in the way", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "state")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Restore(ctx, dir, to); err == nil {
			t.Fatal("it went on")
		}
		if err := makeDirs(to); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{restoringMark, restoredDatabase, databaseName} { // as SIGKILL leaves it
			if err := os.WriteFile(filepath.Join(to, f), []byte(dir), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var half *RestoringError
		if _, err := Open(t.Context(), to, Options{}); !errors.As(err, &half) {
			t.Errorf("opened: %v", err)
		}
		must(Restore(t.Context(), dir, to))(t)
		r := openAt(t, to, Options{})
		if rows(t, r, "dispatches") != 2 {
			t.Error("it is not whole")
		}
	})
}

// The sweep of the start may come to a file whose row went after the snapshot was taken.
func TestBackup_keeps_the_sweep_away(t *testing.T) {
	s := openNew(t)
	d := withAssets(t, s, withLattice(t, s, "x", 1), "1")
	before := len(filesOf(t, s))
	s.files.hold()
	if err := s.DeleteDispatch(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.files.sweep(t.Context(), time.Now().Add(time.Hour), s.knownFiles(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n := len(filesOf(t, s)); n != before || n == 0 {
		t.Errorf("%d files while a backup is made, want %d", n, before)
	}
	if err := s.letGo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := filesOf(t, s); len(got) != 0 {
		t.Errorf("left is %v", got)
	}
}

// Who writes does not wait for a backup: it reads.
func TestBackup_holds_nobody_up(t *testing.T) {
	s := openNew(t)
	fill(t, s, 30_000)
	l := withLattice(t, s, "new", 1)
	took := measure(t, s, l, func() {
		if _, err := Verify(t.Context(), backedUp(t, s)); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d writes beside it, median %s, longest %s", len(took), took[len(took)/2], took[len(took)-1])
	if longest := took[len(took)-1]; longest > tooLong {
		t.Errorf("the longest write took %s", longest)
	}
}
