package store

import (
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var update = flag.Bool("update", false, "write testdata of the present schema")

// later is a migration of a version to come.
func later(id, sql string) migration { return migration{id, sql, strings.Repeat("0", 64)} }

func migrated(t *testing.T, dir string, ms []migration) error {
	t.Helper()
	file := filepath.Join(dir, databaseName)
	db, err := openHandle(writerDSN(file, Options{}.withDefaults()), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer closeHandle(db)
	return migrate(t.Context(), db, file, ms)
}

func TestMigrate(t *testing.T) {
	ms := must(migrations())(t)
	closed := func(t *testing.T) string {
		s := openNew(t)
		insert(t, s, dispatchOf(withLattice(t, s, "x", 1)))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return s.dir
	}

	t.Run("the database is copied before", func(t *testing.T) {
		dir := closed(t)
		next := append(slices.Clone(ms), later("0099_more", "CREATE TABLE more (n INTEGER); INSERT INTO more SELECT number FROM dispatches;"))
		if err := migrated(t, dir, next); err != nil {
			t.Fatal(err)
		}
		before := filepath.Join(dir, databaseName+".before-0099_more")
		info, err := os.Stat(before)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatal(info, err)
		}
		if err := migrated(t, dir, next); err != nil {
			t.Errorf("a second time: %v", err)
		}
		_, err = Open(t.Context(), dir, Options{})
		var se *SchemaError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), "newer latticed") || !strings.Contains(err.Error(), "0099_more") {
			t.Errorf("a newer schema: %v", err)
		}
		if err := os.Rename(before, filepath.Join(dir, databaseName)); err != nil {
			t.Fatal(err)
		}
		if s := openAt(t, dir, Options{}); rows(t, s, "dispatches") != 1 {
			t.Error("the copy lacks something")
		}
	})

	t.Run("one that fails changes nothing", func(t *testing.T) {
		dir := closed(t)
		err := migrated(t, dir, append(slices.Clone(ms), later("0098_a", "CREATE TABLE a (n)"), later("0099_b", "CREATE TABLE b (n); SELECT nothing")))
		if err == nil || !strings.Contains(err.Error(), "0099_b") {
			t.Fatalf("got %v", err)
		}
		if s := openAt(t, dir, Options{}); rows(t, s, "sqlite_schema WHERE name IN ('a', 'b')") != 0 {
			t.Error("half of it was done")
		}
	})

	t.Run("one that was changed after its release is refused", func(t *testing.T) {
		dir := closed(t)
		changed := slices.Clone(ms)
		changed[0].hash = strings.Repeat("f", 64)
		var se *SchemaError
		if err := migrated(t, dir, changed); !errors.As(err, &se) {
			t.Errorf("got %v", err)
		}
		between := append([]migration{later("0000_x", "SELECT 1")}, ms...)
		if err := migrated(t, dir, between); !errors.As(err, &se) || !strings.Contains(err.Error(), "0000_x") {
			t.Errorf("got %v", err)
		}
	})
}

// fixture is a database as a release wrote it; the newest one is written by -update.
func fixture(release int) string { return fmt.Sprintf("testdata/release-%d.db.gz", release) }

const releases = 4

// TestReleases opens a database that each release wrote, an older one after copying it.
func TestReleases(t *testing.T) {
	if *update {
		writeFixture(t)
	}
	for release := 1; release <= releases; release++ {
		t.Run(fmt.Sprint(release), func(t *testing.T) { testRelease(t, release) })
	}
}

func testRelease(t *testing.T, release int) {
	dir := t.TempDir()
	f := must(os.Open(fixture(release)))(t)
	defer f.Close()
	z := must(gzip.NewReader(f))(t)
	data := must(io.ReadAll(z))(t)
	if err := os.WriteFile(filepath.Join(dir, databaseName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, dir, Options{})
	copies := must(filepath.Glob(filepath.Join(dir, databaseName+".before-*")))(t)
	if want := min(1, releases-release); len(copies) != want {
		t.Errorf("%d copies of the database before it was migrated, want %d", len(copies), want)
	}
	ds, _, err := s.Dispatches(t.Context(), DispatchFilter{Labels: map[string]string{"sample": "A1"}})
	if err != nil || len(ds) != 1 || ds[0].Status != graph.Completed || string(ds[0].Result) != `{"peak":42}` {
		t.Fatalf("%+v %v", ds, err)
	}
	if got := read(t, s, must(s.Electron(t.Context(), ds[0].ID, "e0"))(t).Result.SHA256); string(got) != "42" {
		t.Errorf("result %s", got)
	}
	tr := must(s.Trigger(t.Context(), "scans"))(t)
	es, _, err := s.Events(t.Context(), tr.ID, nil, 10, "")
	if err != nil || len(es) != min(release, 2)+1 || es[len(es)-1].State != triggers.EventFired || es[len(es)-2].FiringID != "" {
		t.Errorf("%+v %v", es, err)
	}
	if l := must(s.Lattice(t.Context(), "of-scans"))(t); len(l.Electrons) != 1 {
		t.Errorf("%+v", l)
	}
	if _, found, err := s.Replay(t.Context(), *onceFor("k", "b")); err != nil || found {
		t.Errorf("an old key: %v %v", found, err) // it is older than seven days, or will be
	}
	insert(t, s, dispatchOf(must(s.Lattice(t.Context(), "of-scans"))(t)))
	if release > 1 {
		testSecond(t, s, tr)
	}
	if release > 3 {
		testFourth(t, s, ds[0].ID)
	}
	checkCounts(t, s)
	next := event(t, "next")
	next.Generation = 1
	if fresh := record(t, s, tr, batch(next, event(t, "1"))); len(fresh) != 1 || fresh[0].Seq <= es[0].Seq {
		t.Errorf("what is new: %+v", fresh)
	}
	if e := must(s.Event(t.Context(), tr.ID, next.ID))(t); e.Generation != 1 {
		t.Errorf("%+v", e)
	}
}

// testSecond looks at what came with the second release.
func testSecond(t *testing.T, s *Store, tr triggers.Trigger) {
	t.Helper()
	ds, _, err := s.Dispatches(t.Context(), DispatchFilter{Trigger: tr.ID, Status: []graph.Status{graph.Running}})
	if err != nil || len(ds) != 1 || ds[0].CancelRequestedAt.IsZero() {
		t.Errorf("asked to end: %+v %v", ds, err)
	}
	if c := must(s.Counts(t.Context(), tr.ID))(t); c.Ending != 1 {
		t.Errorf("%+v", c)
	}
	if es := must(s.About(t.Context(), tr.ID, "/data/whole", 9))(t); len(es) != 1 || es[0].Generation != 2 {
		t.Errorf("%+v", es)
	}
}

// testFourth looks at what came with the fourth release.
func testFourth(t *testing.T, s *Store, ended string) {
	t.Helper()
	ds, _, err := s.Dispatches(t.Context(), DispatchFilter{Labels: map[string]string{graph.SweepLabel: "fit"}, Ascending: true})
	if err != nil || len(ds) != 2 || ds[0].Held || !ds[1].Held || ds[1].Sweep != ds[0].Number {
		t.Errorf("a sweep: %+v %v", ds, err)
	}
	if k := must(s.Token(t.Context(), "reader"))(t); k.Role != "viewer" || string(k.Hash) != "hash" {
		t.Errorf("%+v", k)
	}
	if all, _, err := s.AuditPage(t.Context(), AuditFilter{}); err != nil || len(all) != 1 || all[0].Object != "reader" {
		t.Errorf("%+v %v", all, err)
	}
	ends, _, err := s.Ends(t.Context(), 0, 9)
	if es := must(s.Ended(t.Context(), ends))(t); err != nil || len(es) != 1 || es[0].ID != ended {
		t.Errorf("ends: %+v %v", es, err)
	}
}

func writeFixture(t *testing.T) {
	t.Helper()
	s := openNew(t)
	tr, l := withTrigger(t, s, "scans")
	e := event(t, "1")
	d := dispatchOf(l)
	d.Labels = map[string]string{"sample": "A1"}
	record(t, s, tr, triggers.Batch{Cursor: []byte("1"), Entities: []triggers.Change{{Key: []byte("1"), Version: "1"}}, Events: []triggers.Event{e, event(t, "2")}}, fired(e, d)...)
	run := begin(t, s, 1)[0].Dispatch
	advance(t, s, stepOne(run.ID))
	v := must(s.StageAsset(t.Context(), strings.NewReader("42")))(t)
	c := change(0, graph.Running, graph.Completed)
	c.Result = &v.Asset
	advance(t, s, graph.Step{
		Dispatch: run.ID, Assets: []graph.NewAsset{v}, Ends: []graph.AttemptEnd{end(0, 1, "a", graph.Completed)},
		Electrons: []graph.ElectronChange{c}, Finish: &graph.DispatchEnd{Status: graph.Completed, Result: []byte(`{"peak":42}`)},
	})
	loop, whole := event(t, "loop"), event(t, "2")
	loop.Generation, loop.Payload = 2, []byte(`{"path":"/data/whole"}`)
	whole.Amends = true
	record(t, s, tr, batch(loop, whole), fired(loop, dispatchOf(l))...)
	begin(t, s, 1)
	must(s.Fire(t.Context(), tr.ID, 1, []triggers.Decision{{Cancel: 1}}))(t)
	err := s.change(t.Context(), func(t *tx) error { // as old as a key can be
		_, err := t.exec("INSERT INTO idempotency_keys (principal, route, key, body_hash, status, created_at) VALUES ('anna', 'POST /dispatches', 'k', x'00', 201, 1)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	must(s.InsertSweep(t.Context(), sweepOf(t, l, "fit", 2, 1), true))(t)
	ctx := WithAudit(t.Context(), Audit{Principal: "anna", Via: "unix", Action: "CreateToken", Object: "reader", Status: 201})
	must(s.InsertToken(ctx, Token{ID: must(newID())(t), Name: "reader", Role: "viewer", Hash: []byte("hash"), Owner: "anna", CreatedBy: "anna"}))(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := must(openHandle(writerDSN(filepath.Join(s.dir, databaseName), s.o), 1))(t)
	out := filepath.Join(t.TempDir(), "copy")
	err = errors.Join(copyDatabase(db.Session(&gorm.Session{}), out), closeHandle(db), os.MkdirAll("testdata", 0o755))
	if err != nil {
		t.Fatal(err)
	}
	f := must(os.Create(fixture(releases)))(t)
	z := gzip.NewWriter(f)
	_, err = z.Write(must(os.ReadFile(out))(t))
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
