package api

import (
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestSpec_is_valid_OpenAPI(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	raw, err := specJSON()
	if err != nil {
		t.Fatal(err)
	}
	if doc, err = openapi3.NewLoader().LoadFromData(raw); err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("as JSON: %v", err)
	}
}

func TestSpec_has_the_routes_that_are_served(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			written = append(written, method+" "+strings.NewReplacer("{", ":", "}", "").Replace(path))
		}
	}
	slices.Sort(written)
	if served := bare(&lockedBuffer{}).Routes(); !slices.Equal(served, written) {
		t.Errorf("served  %v\nwritten %v", served, written)
	}
}

func TestSpec_and_daemon_routes_are_answered(t *testing.T) {
	h := newHouse(t)
	if v := h.do("GET /openapi.json").want(200).text("openapi"); v != "3.0.3" {
		t.Errorf("openapi is %q", v)
	}
	if v := h.do("GET /healthz").want(200).text("status"); v != "ok" {
		t.Errorf("%q", v)
	}
	if v := h.do("GET /readyz").want(200).text("status"); v != "ready" {
		t.Errorf("%q", v)
	}
	who := h.do("GET /v1/whoami").want(200)
	if who.text("name") != userName(uint32(getuid())) || who.text("run_as") != "nobody" || who.text("via") != "unix" || who.text("version") != "test" {
		t.Errorf("%s", who.body)
	}
}

func TestMetrics_count_requests_by_route(t *testing.T) {
	h := newHouse(t)
	h.do("GET /v1/dispatches/7").want(404)
	h.do("GET /v1/no/such").want(404)
	text := string(h.do("GET /metrics").want(200).body)
	for _, want := range []string{
		`latticed_http_requests_total{code="404",method="GET",route="/v1/dispatches/:id"} 1`,
		`latticed_http_requests_total{code="404",method="GET",route="none"} 1`,
		"go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

func TestMetrics_are_no_more_than_there_are_routes(t *testing.T) {
	h := newHouse(t)
	stranger := h.over(nil)
	for _, method := range []string{"FOO", "BAR", "get", "PROPFIND"} {
		stranger.do(method + " /healthz")
		stranger.do(method + " /v1/no/such/" + method)
	}
	text := string(h.do("GET /metrics").want(200).body)
	if !strings.Contains(text, `latticed_http_requests_total{code="405",method="other",route="/healthz"} 4`) ||
		!strings.Contains(text, `latticed_http_requests_total{code="401",method="other",route="none"} 4`) {
		t.Errorf("a stranger has made more of\n%s", text)
	}
}

func TestExecutors_are_listed_and_checked(t *testing.T) {
	h := newHouse(t)
	if a := h.do("GET /v1/executors").want(200); a.text("items.0.name") != "local" || a.text("items.0.kind") != "actor" {
		t.Errorf("%s", a.body)
	}
	if ok := h.do("POST /v1/executors/local/check").want(200).field("ok"); ok != true {
		t.Errorf("%v", ok)
	}
	h.actor.sick = errSick
	a := h.do("POST /v1/executors/local/check").want(200)
	if a.field("ok") != false || a.text("error") != "no runner" {
		t.Errorf("%s", a.body)
	}
}
