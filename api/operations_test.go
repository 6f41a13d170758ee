package api

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/latticed/latticed/store"
)

func TestBackup_is_a_tar_with_a_manifest_at_its_end(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	a := h.do("GET /v1/backup", "").want(200)
	var names []string
	for tr := tar.NewReader(bytes.NewReader(a.body)); ; {
		head, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, head.Name)
	}
	if !slices.Equal(names, []string{"latticed.db", "manifest.json"}) {
		t.Errorf("it holds %v", names)
	}
}

func TestPrune_takes_what_the_body_says_over_the_configuration(t *testing.T) {
	h := newHouse(t)
	h.server.o.Retention = func() store.Retention { return store.Retention{Age: time.Hour} }
	for _, body := range []string{"", `{}`, `{"dry_run": true}`, `{"age": "30d", "count": 5, "bytes": "1GiB"}`, `{"age": 90}`, `{"age": 1.5e3}`} {
		if a := h.do("POST /v1/prune", body).want(200); a.field("dispatches") != 0.0 || a.field("kept") != 0.0 {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	for body, path := range map[string]string{
		`{"age": "soon"}`: "age", `{"age": "0s"}`: "age", `{"bytes": "much"}`: "bytes", `{"bytes": "0"}`: "bytes", `{"age": "90"}`: "age", `{"age": -1}`: "age", `{"age": null}`: "age", `{"age": true}`: "age", `{"bytes": "50"}`: "bytes", `{"count": -1}`: "count", `{"days": 3}`: "days",
	} {
		if a := h.do("POST /v1/prune", body).want(422); a.text("errors.0.path") != path {
			t.Errorf("%s: %s", body, a.body)
		}
	}
}

func TestHold_of_what_was_not_restored_is_none(t *testing.T) {
	h := newHouse(t)
	if a := h.do("GET /v1/hold?limit=1", "").want(200); a.field("held") != false || a.field("since") != nil || len(a.field("triggers").([]any)) != 0 {
		t.Errorf("%s", a.body)
	}
	h.do("DELETE /v1/hold", "").want(204)
}

func TestDoctor_is_ok_unless_something_is_wrong(t *testing.T) {
	h := newHouse(t)
	for verdict, ok := range map[string]bool{VerdictOK: true, VerdictWarn: true, VerdictWrong: false} {
		h.server.o.Doctor = func(context.Context) []Check { return []Check{{Name: "disk", Verdict: verdict}} }
		if a := h.do("GET /v1/doctor", "").want(200); a.field("ok") != ok || a.text("checks.0.name") != "disk" {
			t.Errorf("%s", a.body)
		}
	}
	h.server.o.Doctor = nil
	if a := h.do("GET /v1/doctor", "").want(200); a.field("ok") != true {
		t.Errorf("%s", a.body)
	}
}
