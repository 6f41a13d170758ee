package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// call sends JSON and decodes the answer, which must be a success.
func (v *victim) call(method, path string, in, out any) {
	v.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		v.t.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://latticed/v1"+path, bytes.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if in == nil {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		v.t.Fatalf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		v.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
	}
}

// steer asks for something; whether the daemon lives long enough is open.
func (v *victim) steer(method, path, body string) {
	req, err := http.NewRequest(method, "http://latticed/v1"+path, strings.NewReader(body))
	if err != nil {
		v.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := v.client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusConflict {
		v.t.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
}

// everything reads all pages of a list.
func everything[T any](v *victim, path string) []T {
	v.t.Helper()
	var all []T
	for after := ""; ; {
		var page struct {
			Items []T
			Next  string
		}
		v.call(http.MethodGet, path+"limit=500&after="+url.QueryEscape(after), nil, &page)
		all = append(all, page.Items...)
		if after = page.Next; after == "" {
			return all
		}
	}
}

// drop writes n files into dir the ways instruments do, a few at a time: at once, in
// pieces, and under another name first. It returns their paths.
func drop(t *testing.T, dir string, n int) (wait func() []string) {
	paths := make([]string, n)
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := w; i < n; i += 3 {
				paths[i] = filepath.Join(dir, fmt.Sprintf("-scan %03d'$(id)\n\"", i))
				if err := dropOne(paths[i], i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	return func() []string {
		wg.Wait()
		return paths
	}
}

func dropOne(path string, way int) error {
	switch way % 4 {
	case 0: // in pieces
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		for range 4 {
			if _, err := f.WriteString("piece\n"); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
		return f.Close()
	case 1: // under another name, outside of the folder, first
		tmp := filepath.Join(filepath.Dir(filepath.Dir(path)), fmt.Sprintf("tmp.%d", way))
		if err := os.WriteFile(tmp, []byte("whole\n"), 0o644); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
		return os.Rename(tmp, path)
	default:
		time.Sleep(30 * time.Millisecond)
		return os.WriteFile(path, []byte("at once\n"), 0o644)
	}
}

// The daemon is killed at random moments while files arrive: each of them has one
// event, one firing and one dispatch, which ran once.
func TestCrash_while_files_arrive(t *testing.T) {
	const files, kills = 240, 25
	v := newVictim(t)
	d := diary{filepath.Join(v.dir, "diary")}
	dir := filepath.Join(v.dir, "drop")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	v.start()
	note := func(word string) string {
		return "echo \"" + word + ` $LATTICED_DISPATCH_ID $LATTICED_ELECTRON $LATTICED_ATTEMPT $(date +%s%N)" >> "$DIARY"` + "\n"
	}
	var ignored json.RawMessage
	v.call(http.MethodPost, "/lattices", map[string]any{
		"lattice": "file", "inputs": map[string]any{"path": map[string]any{"type": "string", "format": "path"}},
		"electrons": map[string]any{"a": map[string]any{
			"bash": note("begin") + `wc -c < "$FILE"` + "\n" + note("end"),
			"env":  map[string]any{"DIARY": d.path, "FILE": "${{ inputs.path }}"}, "retries": map[string]any{"lost": 0},
		}},
	}, &ignored)
	v.call(http.MethodPost, "/triggers", map[string]any{
		"name": "files", "kind": "directory", "lattice": "file", "dir_path": dir, "settle": "300ms",
		"inputs": map[string]any{"path": "${{ event.path }}"},
	}, &ignored)
	dropped := drop(t, dir, files)
	for range kills {
		time.Sleep(rand.N(250 * time.Millisecond))
		v.kill()
		time.Sleep(rand.N(50 * time.Millisecond))
		v.start()
	}
	v.checkFiles(dropped(), d)
	v.stop()
	v.checkNothingIsOrphaned(map[string]bool{})
}

// checkFiles waits until every path was worked on and counts.
func (v *victim) checkFiles(paths []string, d diary) {
	v.t.Helper()
	type one struct {
		ID, Status string
		Inputs     struct{ Path string }
		FiringID   string `json:"firing_id"`
	}
	eventually(v.t, "every file has its dispatch", func() bool { return v.count() >= len(paths) })
	dispatches := everything[one](v, "/dispatches?")
	by := map[string]int{}
	firings := map[string]bool{}
	for _, x := range dispatches {
		if s := v.ended(x.ID).Status; s != "completed" {
			v.t.Errorf("dispatch %s of %q is %s", x.ID, x.Inputs.Path, s)
		}
		by[x.Inputs.Path]++
		firings[x.FiringID] = true
	}
	for _, p := range paths {
		if by[p] != 1 {
			v.t.Errorf("%q was dispatched %d times", p, by[p])
		}
	}
	type event struct {
		Key, State string
		FiringID   string `json:"firing_id"`
	}
	events := everything[event](v, "/triggers/files/events?")
	for _, e := range events {
		if e.State != "fired" || !firings[e.FiringID] {
			v.t.Errorf("event %q is %s by firing %q", e.Key, e.State, e.FiringID)
		}
	}
	all := everything[json.RawMessage](v, "/triggers/files/firings?")
	if len(dispatches) != len(paths) || len(events) != len(paths) || len(all) != len(paths) {
		v.t.Errorf("%d files made %d events, %d firings and %d dispatches", len(paths), len(events), len(all), len(dispatches))
	}
	for e, attempts := range d.check(v.t) {
		if len(attempts) != 1 {
			v.t.Errorf("%s ran as %v", e, attempts)
		}
	}
}
