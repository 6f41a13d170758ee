package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// keepBackup takes a backup while everything goes on.
func (l *life) keepBackup() {
	l.t.Helper()
	l.backup = filepath.Join(l.dir, "backup")
	l.says("backup", "--out", l.backup)
}

// restore takes the place of the daemon's state, which has come to an end, by the backup
// from the middle of it. What has happened since and can still be seen is worked on once,
// with what waited then; what was done then is not done again.
func (l *life) restore(t *testing.T, want map[string][]string) {
	l.t = t // it tells its own troubles
	done := l.done(filepath.Join(l.backup, "latticed.db"))
	if err := os.Rename(l.state(), l.state()+".lost"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(l.diary.path, l.diary.path+".lost"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"restore", l.backup, "--state-dir", l.state()}, nil, &out, &out); code != 0 {
		t.Fatalf("status %d: %s", code, out.String())
	}
	l.start()
	t.Logf("%s", l.says("hold"))
	l.kill() // held is held
	l.start()
	for _, id := range want["hook"] { // who delivered does it again, since nobody knows what was lost
		l.sendUntilTaken(hookSecret, id)
	}
	if exists(l.diary.path) {
		t.Error("something has run while everything was held")
	}
	l.says("hold", "--end")
	for _, k := range l.kinds {
		l.steer("POST", "/triggers/"+k.name+"/resume", `{"backlog":"fire"}`)
	}
	ticked := time.Since(l.began)
	want["ends"] = l.endSteps()
	l.arrive(want, ticked)
	l.check(want, ticked)
	for _, line := range l.diary.read(t) {
		if done[line.electron] {
			t.Errorf("%s was done in the backup, and was run again", line.electron)
		}
	}
	l.stop()
	l.checkNothingWaits()
	l.rows(map[string]int{"SELECT count(*) FROM dispatches WHERE status IN ('new', 'pending', 'running', 'failed')": 0})
	t.Logf("%d electrons were done in the backup, %d ran after it", len(done), len(l.diary.check(t)))
}

// done are the electrons, with their dispatches, that have ended in a database.
func (l *life) done(path string) map[string]bool {
	l.t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT d.id || ' ' || e.name FROM electrons e JOIN dispatches d ON d.number = e.dispatch WHERE e.ended_at IS NOT NULL")
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	done := map[string]bool{}
	for rows.Next() {
		var electron string
		if err := rows.Scan(&electron); err != nil {
			l.t.Fatal(err)
		}
		done[electron] = true
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	return done
}

// endSteps cancels what nobody else will, and returns the ids of all such dispatches.
func (l *life) endSteps() (ids []string) {
	l.t.Helper()
	for _, d := range everything[struct{ ID, Status string }](l.victim, "/dispatches?lattice=steps&") {
		ids = append(ids, d.ID)
		if !slices.Contains([]string{"completed", "cancelled"}, d.Status) {
			var ignored any
			l.call("POST", "/dispatches/"+d.ID+"/cancel", map[string]any{"electrons": []string{"aside"}}, &ignored)
			l.ended(d.ID)
		}
	}
	return ids
}
