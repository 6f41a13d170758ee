package api

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/store"
)

// trail is the audit, oldest first: who did what to which.
func (h *house) trail() (out []string) {
	h.t.Helper()
	path := "/v1/audit?limit=500"
	for _, e := range decodeAs[client.AuditPage](h.do("GET " + path).want(200)).Items {
		out = append(out, fmt.Sprint(e.Principal, " ", e.Action, " ", e.Object, " ", e.Status))
	}
	slices.Reverse(out)
	return out
}

func TestAudit_has_every_change(t *testing.T) {
	h := newHouse(t)
	text, _ := h.token(store.Token{Role: RoleAdmin, Name: "boss"})
	boss := h.as(text)
	lattice := `{"lattice": "double", "inputs": {"n": {"type": "integer", "default": 1}}, "electrons": {"work": {"run": ["say", "${{ inputs.n }}"]}}}`
	trigger := `{"name": "t", "kind": "still", "lattice": "double"}`
	var want []string
	for _, c := range []struct {
		what string
		body string
		row  string // empty: none
	}{
		{"POST /v1/lattices", lattice, "StoreLattice double 201"},
		{"POST /v1/lattices", lattice, "StoreLattice double 200"},
		{"POST /v1/dispatches", `{"lattice": "double", "disable_run": true}`, ""},
		{"PATCH /v1/dispatches/1", `{"note": "x"}`, "PatchDispatch 1 200"},
		{"POST /v1/dispatches/1/start", "", "StartDispatch 1 200"},
		{"GET /v1/dispatches/1?wait=30s", "", ""},
		{"POST /v1/dispatches/1/redispatch", "", ""},
		{"POST /v1/dispatches/2/cancel", "", "CancelDispatch 2 200"},
		{"GET /v1/dispatches/2?wait=30s", "", ""},
		{"DELETE /v1/dispatches/2", "", "DeleteDispatch 2 204"},
		{"POST /v1/assets", "x", ""},
		{"POST /v1/triggers?dry_run=1", trigger, ""},
		{"POST /v1/triggers", trigger, "CreateTrigger t 201"},
		{"PUT /v1/triggers/t?dry_run=1", `{"kind": "still", "lattice": "double", "note": "x"}`, ""},
		{"PUT /v1/triggers/t", `{"kind": "still", "lattice": "double", "labels": {"a": "b"}}`, "PutTrigger t 200"},
		{"PUT /v1/triggers/t", `{"kind": "still", "lattice": "double", "labels": {"a": "b"}}`, ""}, // is so already
		{"PUT /v1/triggers/u", `{"kind": "still", "lattice": "double"}`, "PutTrigger u 201"},
		{"PATCH /v1/triggers/t", `{"labels": {"a": "c"}}`, "PatchTrigger t 200"},
		{"POST /v1/triggers/t/pause", "", "PauseTrigger t 200"},
		{"POST /v1/triggers/t/resume", "", "ResumeTrigger t 200"},
		{"POST /v1/triggers/t/test", "", ""},
		{"POST /v1/triggers/t/fire", `{"payload": {}}`, "FireTrigger t 201"},
		{"POST /v1/executors/local/check", "", ""},
		{"POST /v1/triggers/%74/pause", "", "PauseTrigger t 200"}, // the name counts, however it is written
		{"DELETE /v1/triggers/%75", "", "DeleteTrigger u 204"},
		{"POST /v1/tokens", `{"name": "ci", "role": "viewer"}`, "CreateToken ci 201"},
		{"DELETE /v1/tokens/ci", "", "RevokeToken ci 204"},
		// What was refused has changed nothing.
		{"POST /v1/tokens", `{"name": "ci"}`, ""},
		{"DELETE /v1/tokens/ci", "", ""},
		{"PATCH /v1/triggers/t", `{"lattice": "nope"}`, ""},
		{"DELETE /v1/dispatches/99", "", ""},
	} {
		more := []string{}
		if c.body != "" {
			more = append(more, c.body)
		}
		if strings.HasSuffix(c.what, "/assets") {
			more = append([]string{"Content-Type: application/octet-stream"}, more...)
		}
		a := boss.do(c.what, more...)
		if c.row != "" {
			want = append(want, "token:boss "+c.row)
			if fmt.Sprint(a.status) != c.row[len(c.row)-3:] {
				t.Errorf("%s: %d %s", c.what, a.status, a.body)
			}
		}
		if got := h.trail(); !slices.Equal(got, want) {
			t.Fatalf("after %s (%d %s):\n%s\nwant\n%s", c.what, a.status, a.body, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	last := decodeAs[client.AuditPage](h.do("GET /v1/audit?limit=1").want(200)).Items[0]
	if last.Via != "tcp" || !strings.HasPrefix(last.Remote, "127.0.0.1:") {
		t.Errorf("%+v", last)
	}
}

func TestAudit_names_users_of_the_socket(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/tokens", `{"name": "ci", "role": "viewer"}`).want(201)
	e := decodeAs[client.AuditPage](h.do("GET /v1/audit").want(200)).Items[0]
	if e.Principal != userName(uint32(getuid())) || e.Via != "unix" || e.Remote != "" || e.Action != "CreateToken" || e.Object != "ci" || e.Status != 201 {
		t.Errorf("%+v", e)
	}
}

func TestAudit_of_a_repeated_request_is_one(t *testing.T) {
	h := newHouse(t)
	for range 3 {
		h.do("POST /v1/lattices", "Idempotency-Key: k", one("say", "hi")).want(201)
	}
	if got := h.trail(); len(got) != 1 {
		t.Error(got)
	}
}

func TestAudit_is_read_in_pages_and_by_filters(t *testing.T) {
	h := newHouse(t)
	text, _ := h.token(store.Token{Role: RoleAdmin, Name: "boss"})
	for i := range 5 {
		who := h
		if i%2 == 0 {
			who = h.as(text)
		}
		who.do("POST /v1/tokens", fmt.Sprintf(`{"name": "t%d", "role": "viewer"}`, i)).want(201)
	}
	h.do("DELETE /v1/tokens/t2").want(204)
	objects := func(path string) (out []string) {
		for _, e := range decodeAs[client.AuditPage](h.do("GET " + path).want(200)).Items {
			out = append(out, e.Object)
		}
		return out
	}
	if got := objects("/v1/audit?principal=token:boss"); !slices.Equal(got, []string{"t4", "t2", "t0"}) {
		t.Error(got)
	}
	if got := objects("/v1/audit?object=t2"); !slices.Equal(got, []string{"t2", "t2"}) {
		t.Error(got)
	}
	if got := objects("/v1/audit?action=RevokeToken"); !slices.Equal(got, []string{"t2"}) {
		t.Error(got)
	}
	if got := objects("/v1/audit?action=RevokeToken,CreateToken&object=t2"); !slices.Equal(got, []string{"t2", "t2"}) {
		t.Error(got)
	}
	if a := h.do("GET /v1/audit?action=RevokeTokn").want(422); a.text("detail") != `action: there is no action "RevokeTokn"; did you mean "RevokeToken"?` {
		t.Errorf("%s", a.body)
	}
	first := h.do("GET /v1/audit?limit=4").want(200)
	if got := objects("/v1/audit?limit=4&after=" + first.text("next")); !slices.Equal(got, []string{"t1", "t0"}) {
		t.Error(got)
	}
	if got := objects("/v1/audit?until=2020-01-01T00:00:00Z"); got != nil {
		t.Error(got)
	}
	h.do("GET /v1/audit?since=yesterday").want(422)
	h.do("GET /v1/audit?until=1").want(422)
	h.do("GET /v1/audit?after=1").want(422)
}

func TestChange_that_cannot_be_written_down(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/tokens", `{"name": "ci", "role": "viewer"}`).want(201)
	h.ended(h.dispatch(one("say", "hi")))
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "state", "latticed.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "ALTER TABLE audit RENAME TO lost"); err != nil {
		t.Fatal(err)
	}
	t.Run("is_not_made", func(t *testing.T) {
		h.do("DELETE /v1/tokens/ci").want(500)
		if a := h.do("GET /v1/tokens").want(200); a.text("items.0.name") != "ci" {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("is_not_acknowledged", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://latticed/v1/dispatches/1/cancel", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := h.client.Do(req); err == nil {
			resp.Body.Close()
			t.Error(resp.Status)
		}
	})
}
