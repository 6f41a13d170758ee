package store

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// endOf says of every table what ends its rows, so that none is forgotten.
var endOf = map[string]string{
	"dispatches":        "retention",
	"dispatch_labels":   "with their dispatch",
	"electrons":         "with their dispatch",
	"attempts":          "with their electron",
	"firings":           "retention, once no dispatch is left of them",
	"events":            "with their firing",
	"past_keys":         "with their trigger",
	"triggers":          "removed, then retention",
	"trigger_revisions": "with their trigger",
	"cursors":           "with their trigger",
	"entities":          "removed with what they tell about, or after their trigger was",
	"lattices":          "retention, once nothing uses them",
	"lattice_names":     "deleted by people",
	"lattice_assets":    "with their lattice",
	"assets":            "when nothing names them",
	"uploads":           "UploadAge",
	"idempotency_keys":  "KeyAge",
	"tombstones":        "KeyAge",
	"tokens":            "AuditAge after they are no good any more, or with their trigger",
	"audit":             "AuditAge",
	"meta":              "a few rows, for ever",
	"migrations":        "a row for each, for ever",
	"migration_hashes":  "a row for each, for ever",
}

func TestRetention_knows_the_end_of_every_table(t *testing.T) {
	s := openNew(t)
	var tables []string
	if err := s.read.Raw("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").Scan(&tables).Error; err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if endOf[table] == "" {
			t.Errorf("nobody says what ends the rows of %s", table)
		}
	}
	for table := range endOf {
		if !slices.Contains(tables, table) {
			t.Errorf("there is no table %s", table)
		}
	}
}

// A year of everything, and then nothing of it is left.
func TestRetention_leaves_no_row_behind(t *testing.T) {
	s, c := openClocked(t)
	tr, l := withTrigger(t, s, "scans")
	d := dispatchOf(l)
	d.Labels = map[string]string{"a": "b"}
	e, skipped, held := event(t, "a"), event(t, "b"), event(t, "c")
	record(t, s, tr, triggers.Batch{
		Cursor: []byte(`{}`), Events: []triggers.Event{e, skipped, held}, Entities: []triggers.Change{{Key: []byte("x"), Version: "1"}},
	}, append(fired(e, d), triggers.Decision{EventIDs: []string{skipped.ID}, State: triggers.EventSkipped, Reason: "condition"})...)
	for _, d := range must(s.Pending(t.Context(), 10, none))(t) {
		cancelled(t, s, d)
	}
	withAssets(t, s, l, "1")
	once := Once{Principal: "anna", Route: "POST /x", Key: "k", Body: []byte("{}")}
	if err := s.Keep(t.Context(), once, Answer{Status: 200}); err != nil {
		t.Fatal(err)
	}
	if err := s.change(t.Context(), func(t *tx) error {
		for _, q := range []string{
			"INSERT INTO audit (at, principal, via, remote, action, object, status) VALUES (?1, 'anna', 'unix', '', 'x', 'y', 200), (?1, 'anna', 'unix', '', 'x', 'y', 200)",
			"INSERT INTO tokens (id, name, role, hash, owner, created_by, created_at, expires_at) VALUES ('t', 't', 'viewer', x'00', 'anna', 'anna', ?1, ?1)",
		} {
			if _, err := t.exec(q, t.now); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	all := Retention{Age: 90 * day, AuditAge: 365 * day}
	c.pass(100 * day)
	if p := pruned(t, s, all); p.Dispatches != 1 || p.Audit != 0 {
		t.Errorf("after 100 days went %+v", p)
	}
	// The trigger is removed, its name and its target are taken away by people.
	if err := s.RemoveTrigger(t.Context(), tr.ID); err != nil {
		t.Fatal(err)
	}
	for _, n := range there(t, s) {
		if d := must(s.Dispatch(t.Context(), strconv.FormatInt(n, 10)))(t); d.Status == graph.New {
			if err := s.DeleteDispatch(t.Context(), d.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.change(t.Context(), func(t *tx) error { _, err := t.exec("DELETE FROM lattice_names"); return err }); err != nil {
		t.Fatal(err)
	}
	for range 3 { // what one pass lets go of, the next finds
		c.pass(400 * day)
		if err := s.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		must(s.Prune(t.Context(), all, false))(t)
	}
	for table := range endOf {
		if n := rows(t, s, table); n > 0 && table != "meta" && table != "migrations" && table != "migration_hashes" {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	if n := len(filesOf(t, s)); n > 0 {
		t.Errorf("%d files are left", n)
	}
	if seq := s.Seq(); reopen(t, s).Seq() < seq {
		t.Error("the sequence went back")
	}
}

func TestRetention_of_the_audit_trail_takes_the_oldest(t *testing.T) {
	s, c := openClocked(t)
	for range 3 {
		if err := s.change(t.Context(), func(t *tx) error {
			for range prunePage + 1 {
				if _, err := t.exec("INSERT INTO audit (at, principal, via, remote, action, object, status) VALUES (?, 'anna', 'unix', '', 'x', 'y', 200)", t.now); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		c.pass(10 * day)
	}
	if p := pruned(t, s, Retention{AuditAge: 15 * day}); p.Audit != 2*(prunePage+1) {
		t.Errorf("%+v", p)
	}
	if n := rows(t, s, "audit"); n != prunePage+1 {
		t.Errorf("%d are left", n)
	}
	c.pass(time.Hour)
}
