package main

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// processes returns those whose command line or directory belongs to the victim.
func (v *victim) processes(match func(pid int, cmdline []string, cwd string) bool) (pids []int) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		v.t.Fatal(err)
	}
	for _, dir := range dirs {
		line, err := os.ReadFile(dir + "/cmdline")
		if err != nil {
			continue // it has ended meanwhile
		}
		cwd, _ := os.Readlink(dir + "/cwd")
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if match(pid, strings.Split(string(line), "\x00"), cwd) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// runners leaves out their children: between fork and exec an electron looks like its
// runner, and a moment later it would be the electron that is killed.
func (v *victim) runners() []int {
	found := v.processes(func(_ int, line []string, _ string) bool {
		return len(line) > 1 && line[0] == v.binary && line[1] == "runner" && strings.Contains(strings.Join(line, " "), v.dir)
	})
	return slices.DeleteFunc(slices.Clone(found), func(pid int) bool { return slices.Contains(found, parent(pid)) })
}

// parent is the parent of a process, 0 when it has ended.
func parent(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	n, _ := strconv.Atoi(fields[1])
	return n
}

// leftovers are processes of electrons.
func (v *victim) leftovers() []int {
	return v.processes(func(_ int, _ []string, cwd string) bool { return strings.HasPrefix(cwd, v.state()+"/work/") })
}

// checkNothingIsOrphaned compares what is on disk with what is in the database, once
// the daemon has stopped.
func (v *victim) checkNothingIsOrphaned(keep map[string]bool) {
	v.t.Helper()
	eventually(v.t, "the runner leaves", func() bool { return len(v.runners()) == 0 })
	if ps := v.leftovers(); len(ps) > 0 {
		v.t.Errorf("processes of electrons are left: %v", ps)
	}
	entries, err := os.ReadDir(filepath.Join(v.state(), "work"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(v.state(), "work", e.Name())
		if e.Name() == ".runner" {
			continue // its own
		}
		if !keep[path] {
			v.t.Errorf("directory %s belongs to no failed attempt", path)
		}
		delete(keep, path)
	}
	for path := range keep {
		v.t.Errorf("the directory of a failed attempt is gone: %s", path)
	}
	db, err := sql.Open("sqlite", filepath.Join(v.state(), "latticed.db"))
	if err != nil {
		v.t.Fatal(err)
	}
	defer db.Close()
	for what, q := range map[string]string{
		"attempts that are not over":   "SELECT count(*) FROM attempts WHERE status IN ('running', 'unknown')",
		"electrons that are not over":  "SELECT count(*) FROM electrons WHERE status IN ('running', 'pending')",
		"dispatches that are not over": "SELECT count(*) FROM dispatches WHERE status IN ('running', 'pending')",
		"assets nobody refers to":      "SELECT count(*) FROM assets WHERE refs = 0",
	} {
		var n int
		if err := db.QueryRow(q).Scan(&n); err != nil || n != 0 {
			v.t.Errorf("%d %s (%v)", n, what, err)
		}
	}
	v.checkAssets(db)
}

// checkAssets compares rows and files of assets.
func (v *victim) checkAssets(db *sql.DB) {
	v.t.Helper()
	rows, err := db.Query("SELECT sha256 FROM assets WHERE data IS NULL")
	if err != nil {
		v.t.Fatal(err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for rows.Next() {
		var sum []byte
		if err := rows.Scan(&sum); err != nil {
			v.t.Fatal(err)
		}
		known[hex.EncodeToString(sum)] = true
	}
	if err := rows.Err(); err != nil {
		v.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(v.state(), "assets", "*", "*"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		if !known[name] {
			v.t.Errorf("no row knows the file %s", f)
		}
		delete(known, name)
	}
	for name := range known {
		v.t.Errorf("the file of asset %s is gone", name)
	}
}
