package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestElectrons_are_listed_in_the_order_of_the_document(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(`{"lattice": "many", "on_failure": "continue", "electrons": {
		"a": {"run": ["say", "1"]}, "b": {"run": ["fail", "2", "x"]}, "c": {"run": ["say", "${{ electrons.b.result }}"]}, "d": {"run": ["say", "4"]}}}`)
	h.ended(id)
	path := "GET /v1/dispatches/" + id + "/electrons"
	var names []string
	after := ""
	for {
		a := h.do(path + "?limit=3" + after).want(200)
		for i := range a.field("items").([]any) {
			names = append(names, a.text(fmt.Sprintf("items.%d.name", i)))
		}
		if a.field("next") == nil {
			break
		}
		after = "&after=" + a.text("next")
	}
	if got := strings.Join(names, ""); got != "abcd" {
		t.Errorf("%s", got)
	}
	a := h.do(path + "?status=skipped").want(200)
	if a.text("items.0.name") != "c" || a.text("items.0.reason") != "upstream" || len(a.field("items").([]any)) != 1 {
		t.Errorf("%s", a.body)
	}
	e := h.do(path + "/b").want(200)
	if e.text("status") != "failed" || e.text("error.code") != "exit_code" || e.field("attempts.0.exit_code") != 2.0 ||
		!strings.HasPrefix(e.text("attempts.0.work_dir"), "/kept/") {
		t.Errorf("%s", e.body)
	}
}

func TestResult(t *testing.T) {
	h := newHouse(t)
	big := `"` + strings.Repeat("x", inlineResult) + `"`
	id := h.dispatch(fmt.Sprintf(`{"lattice": "results", "on_failure": "continue", "output": null, "electrons": {
		"small": {"run": ["value", "{\"a\": 1.50}"]}, "big": {"run": ["value", %q]}, "none": {"run": ["fail", "1", ""]}}}`, big))
	h.ended(id)
	path := "GET /v1/dispatches/" + id + "/electrons/"
	if got := string(h.do(path + "small/result").want(200).body); !strings.Contains(got, `"a"`) {
		t.Errorf("%s", got)
	}
	if got := string(h.do(path + "big/result").want(200).body); got != big {
		t.Errorf("%d bytes", len(got))
	}
	if e := h.do(path + "big").want(200); e.field("result") != nil || e.field("result_asset.size") != float64(len(big)) {
		t.Errorf("%s", e.body)
	}
	if c := h.do(path + "none/result").want(404).text("code"); c != "no_result" {
		t.Errorf("%s", c)
	}
}

func TestFile(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(`{"lattice": "files", "electrons": {"work": {"run": ["file", "plot", "0123456789"], "outputs": {"plot": "plot.svg"}}}}`)
	if a := h.ended(id); a.field("electrons.0.files.plot.size") != 10.0 {
		t.Fatalf("%s", a.body)
	}
	path := "GET /v1/dispatches/" + id + "/electrons/work/files/"
	a := h.do(path + "plot").want(200)
	if string(a.body) != "0123456789" || a.header.Get("Content-Disposition") != `attachment; filename="plot"` {
		t.Errorf("%s %v", a.body, a.header)
	}
	if p := h.do(path + "plto").want(404).text("detail"); p != `electron work has no file "plto"; did you mean "plot"?` {
		t.Errorf("%s", p)
	}
	t.Run("in_parts", func(t *testing.T) {
		resp := h.open(path+"plot", "Range: bytes=2-4")
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusPartialContent || resp.Header.Get("Content-Range") != "bytes 2-4/10" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	})
	t.Run("not_again", func(t *testing.T) {
		resp := h.open(path+"plot", "If-None-Match: "+a.header.Get("Etag"))
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusNotModified {
			t.Errorf("%d", resp.StatusCode)
		}
	})
}
