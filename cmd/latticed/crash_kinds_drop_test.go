package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// folderKinds are triggers on folders, and what is dropped there.
func (l *life) folderKinds() []kindUnderCrash {
	kind := func(name string, drop func(t *testing.T, dir string) []string, more map[string]any) kindUnderCrash {
		dir := l.folder(filepath.Join(name, "in"))
		fields := map[string]any{"kind": "directory", "dir_path": dir, "settle": "300ms"}
		maps.Copy(fields, more)
		return kindUnderCrash{name: name, what: "event.path", fields: fields, happen: func(context.Context) []string { return drop(l.t, dir) }}
	}
	files := func(n int) func(t *testing.T, dir string) []string {
		return func(t *testing.T, dir string) []string { return drop(t, dir, n)() }
	}
	marker := map[string]any{"all": []string{"DONE"}}
	swept := kind("swept", func(t *testing.T, dir string) []string { return slices.Repeat(drop(t, dir, 30)(), 3) },
		map[string]any{"sweep": map[string]any{"grid": map[string]any{"part": []int{1, 2, 3}}, "max_in_flight": 2}})
	swept.followed = true
	return []kindUnderCrash{
		kind("flat", files(100), nil),
		kind("tree", dropTrees, map[string]any{"recursive": true, "include": []string{"**/*.tif"}}),
		kind("runs", dropRuns(400*time.Millisecond), map[string]any{"unit": "folder", "marker": marker}),
		kind("late", dropRuns(1300*time.Millisecond), map[string]any{"unit": "folder", "marker": marker, "deadline": "1s", "on_deadline": "hold"}),
		kind("sets", dropSets, map[string]any{"group": map[string]any{"by": `^(.+)\.(?:json|bin)$`, "need": []string{"*.json", "*.bin"}}}),
		kind("rated", files(60), map[string]any{"rate": "40/1s", "overlap": "queue", "max_in_flight": 2}),
		swept,
	}
}

func (l *life) clockKinds() []kindUnderCrash {
	kind := func(name string, more map[string]any) kindUnderCrash {
		fields := map[string]any{"kind": "time", "catch_up": "all", "cap": 1000, "overlap": "queue", "max_in_flight": 4}
		maps.Copy(fields, more)
		return kindUnderCrash{name: name, what: "event.time", fields: fields}
	}
	return []kindUnderCrash{
		kind("every", map[string]any{"every": "1s"}),
		kind("cron", map[string]any{"cron": "* * * * * *", "timezone": "Europe/Berlin"}),
	}
}

// lay makes a file with the folders above it; errors fail the test.
func lay(t *testing.T, path, text string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// dropTrees writes files into fresh folders, three deep.
func dropTrees(t *testing.T, dir string) []string {
	var made []string
	for i := range 40 {
		for j := range 3 {
			path := filepath.Join(dir, fmt.Sprintf("run %d", i), fmt.Sprintf("plate%d", j), "raw", "image.tif")
			lay(t, path, "image\n")
			lay(t, filepath.Join(filepath.Dir(path), "notes.log"), "not an image\n")
			made = append(made, path)
		}
		time.Sleep(500 * time.Millisecond)
	}
	return made
}

// dropRuns writes run folders whose marker comes before the last of their files, as
// when somebody copies them; every other one is quiet for a while without a marker.
func dropRuns(quiet time.Duration) func(t *testing.T, dir string) []string {
	return func(t *testing.T, dir string) []string {
		var made []string
		for i := range 40 {
			run := filepath.Join(dir, fmt.Sprintf("run-%03d", i))
			lay(t, filepath.Join(run, "data", "lane1.bcl"), "1\n")
			if i%2 == 0 {
				time.Sleep(quiet)
			}
			lay(t, filepath.Join(run, "DONE"), "")
			lay(t, filepath.Join(run, "data", "lane2.bcl"), "2\n")
			made = append(made, run)
			time.Sleep(300 * time.Millisecond)
		}
		return made
	}
}

// dropSets writes pairs, the second of which comes later.
func dropSets(t *testing.T, dir string) []string {
	var made []string
	for i := range 40 {
		first, second := fmt.Sprintf("shot%d.json", i), fmt.Sprintf("shot%d.bin", i)
		if i%2 == 0 {
			first, second = second, first
		}
		lay(t, filepath.Join(dir, first), "{}\n")
		time.Sleep(500 * time.Millisecond)
		lay(t, filepath.Join(dir, second), "{}\n")
		made = append(made, filepath.Join(dir, fmt.Sprintf("shot%d.json", i)))
	}
	return made
}
