package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// daemonOf serves at a socket what a handler answers, and names the socket to commands.
func daemonOf(t *testing.T, h http.HandlerFunc) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h} //nolint:gosec // only we connect
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("LATTICED_SERVER", "unix:"+socket)
}

// refusesThird takes triggers as they come, but the third, after all was well in the
// dry runs.
func refusesThird(t *testing.T) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Base(r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		var answer any
		switch {
		case r.Method != http.MethodPut:
			t.Errorf("%s %s", r.Method, r.URL)
		case r.URL.Query().Has("dry_run"):
			answer = map[string]any{"change": map[string]string{"a": "created", "b": "unchanged", "c": "revised"}[name]}
		case name == "c":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			answer = map[string]any{"status": http.StatusConflict, "code": "busy", "detail": "somebody else was faster"}
		default:
			answer = map[string]any{"name": name, "state": "active", "revision": 1}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}
}

func TestApply_says_what_was_done_when_not_all_could_be(t *testing.T) {
	daemonOf(t, refusesThird(t))
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "t.yaml", "name: a\n---\nname: b\n---\nname: c\n")
	code, stdout, stderr := try(t, "trigger", "apply", "-f", "t.yaml")
	if code != 4 || stdout != "trigger a  created    active\ntrigger b  unchanged  active\n" {
		t.Errorf("status %d: %s", code, stdout)
	}
	want := "latticed: t.yaml:5:1: c: somebody else was faster\nlatticed: 2 of 3 changes made; apply the file again for the rest\n"
	if stderr != want {
		t.Errorf("%s", stderr)
	}
	_, stdout, _ = try(t, "trigger", "apply", "-f", "t.yaml", "--json")
	if !strings.HasPrefix(stdout, `{"triggers":[{"name":"a","result":"created",`) || strings.Contains(stdout, `"name":"c"`) {
		t.Errorf("%s", stdout)
	}
}

func TestApply_asks_about_all_before_it_changes_any(t *testing.T) {
	asked, changed := 0, 0
	daemonOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("dry_run") {
			asked++
		} else {
			changed++
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"status": 422, "code": "invalid", "detail": "no", "errors": [{"path": "kind", "message": "no such kind"}]}`)
	})
	t.Chdir(t.TempDir())
	write(t, "t.yaml", "{name: a, kind: x}\n---\n{name: b, kind: x}\n")
	code, stdout, stderr := try(t, "trigger", "apply", "-f", "t.yaml")
	want := "latticed: t.yaml:1:11: a: kind: no such kind\nlatticed: t.yaml:3:11: b: kind: no such kind\nlatticed: nothing was changed\n"
	if code != 4 || stdout != "" || stderr != want || asked != 2 || changed != 0 {
		t.Errorf("status %d, %d asked, %d changed: %s%s", code, asked, changed, stdout, stderr)
	}
}
