package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/latticed/latticed/store"
)

// The operations by who may use them, written down once more: what the table of the
// code says is not to change by accident.
var mayUse = map[string]string{
	"everybody": "DeliverHook Healthz Readyz",
	"source":    "Whoami PutAsset GetUpload",
	"viewer": `Whoami GetUpload Metrics Openapi Explain Doctor GetHold ListExecutors StreamEvents ListLattices GetLattice GetInclude
		ListDispatches GetDispatch ListElectrons GetElectron GetStdout GetStderr GetElectronResult GetElectronFile
		ListTriggers GetTrigger ListEvents ListFirings`,
	"operator": `PutAsset CreateDispatch Redispatch CheckExecutor TestTrigger GetHook StoreLattice StartDispatch CancelDispatch PatchDispatch
		DeleteDispatch BulkCancel BulkRedispatch CreateSweep CreateTrigger PutTrigger PatchTrigger DeleteTrigger PauseTrigger
		ResumeTrigger FireTrigger RetryEvents BackfillTrigger`,
	"admin": "ListTokens CreateToken RevokeToken ListAudit Backup Prune EndHold",
}

// may tells whether a role is to be let in.
func may(role, op string) bool {
	in := func(who string) bool { return slices.Contains(strings.Fields(mayUse[who]), op) }
	switch role {
	case "admin", "socket":
		return true
	case "operator":
		return in("everybody") || in("viewer") || in("operator")
	case "nobody":
		return in("everybody")
	case "expired", "revoked": // are told so, wherever they ask
		return false
	}
	return in("everybody") || in(role)
}

func TestEvery_route_lets_in_whom_it_should(t *testing.T) {
	h := newHouse(t)
	in := h.source("in")
	text := func(k store.Token) string { s, _ := h.token(k); return s }
	expired := text(store.Token{Role: RoleAdmin, Name: "expired", ExpiresAt: time.Now().Add(-time.Second)})
	revoked := text(store.Token{Role: RoleAdmin, Name: "revoked"})
	h.do("DELETE /v1/tokens/revoked").want(204)
	people := map[string]*house{
		"nobody":   h.over(nil),
		"viewer":   h.as(text(store.Token{Role: RoleViewer})),
		"operator": h.as(text(store.Token{Role: RoleOperator})),
		"admin":    h.as(text(store.Token{Role: RoleAdmin})),
		"source":   h.as(in),
		"expired":  h.as(expired),
		"revoked":  h.as(revoked),
		"socket":   h,
	}
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			seen[op.OperationID] = true
			for role, who := range people {
				t.Run(op.OperationID+"/"+role, func(t *testing.T) {
					status, code := who.knock(t, method, placed(path))
					switch allowed := may(role, op.OperationID); {
					case status == 500 || status == 400 || status == 499:
						t.Errorf("nobody has foreseen this: %d %s", status, code)
					case allowed && (status == 401 || status == 403):
						t.Errorf("kept out: %d %s", status, code)
					case allowed:
					case role == "nobody" && (status != 401 || code != "unauthenticated"),
						(role == "expired" || role == "revoked") && (status != 401 || code != "token_ended"),
						role != "nobody" && role != "expired" && role != "revoked" && (status != 403 || code != "forbidden"):
						t.Errorf("%d %s", status, code)
					}
				})
			}
		}
	}
	for name := range operations() {
		if !seen[name] {
			t.Errorf("%s is not in openapi.yaml", name)
		}
	}
	for name := range accesses() {
		if !seen[name] {
			t.Errorf("there is no operation %s", name)
		}
	}
	t.Run("what_there_is_not", func(t *testing.T) {
		if status, code := people["nobody"].knock(t, "GET", "/v1/secrets"); status != 401 {
			t.Errorf("%d %s: a stranger learns which routes there are", status, code)
		}
		if status, code := people["viewer"].knock(t, "GET", "/v1/secrets"); status != 404 || code != "no_route" {
			t.Errorf("%d %s", status, code)
		}
	})
}

// placed is a path about things that are not there.
func placed(path string) string {
	return strings.NewReplacer("{", "no-", "}", "").Replace(path)
}

// knock asks with an empty body and tells how that was answered; what follows the
// headers of a stream is not waited for.
func (h *house) knock(t *testing.T, method, path string) (status int, code string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hung)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://latticed"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 400 {
		return resp.StatusCode, ""
	}
	return resp.StatusCode, codeOf(t, resp)
}

func TestTable_of_roles_has_every_operation(t *testing.T) {
	for name := range operations() {
		if _, ok := accesses()[name]; !ok {
			t.Errorf("nothing is said of %s", name)
		}
	}
	var unknown access
	for _, role := range []Role{RoleViewer, RoleOperator, RoleSource, ""} {
		unknown.least = RoleAdmin
		if unknown.allows(role) {
			t.Errorf("%q may do what an admin may", role)
		}
	}
	if (access{least: RoleViewer}).allows("root") {
		t.Error("a role that there is not may read")
	}
}
