package api

import (
	"os/user"
	"strings"
	"testing"
)

func TestLog_lines_tell_who_changed_what_and_nothing_else(t *testing.T) {
	h := newHouse(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	by := `,"principal":"` + me.Username + `","message":`
	id := h.dispatch(one("hold"))
	done := h.dispatch(one("say"))
	h.ended(done)
	for _, c := range []struct{ what, body, want string }{
		{"GET /v1/dispatches", "", ""},
		{"GET /v1/dispatches/99", "", ""},
		{"POST /v1/lattices", `{"lattice": "double", "electrons": {"work": {"run": ["say"]}}}`, `"lattice":"double"` + by + `"lattice stored"`},
		{"POST /v1/triggers", `{"name": "t", "kind": "time", "lattice": "double", "time_gap": 3600}`, `"trigger":"t"` + by + `"trigger added"`},
		{"POST /v1/triggers/t/fire", "", `"trigger":"t"` + by + `"trigger fired by hand"`},
		{"DELETE /v1/triggers/t", "", `"trigger":"t"` + by + `"trigger removed"`},
		{"DELETE /v1/triggers/t", "", ""},
		{"POST /v1/dispatches/" + id + "/cancel", "", `"dispatch":"` + id + `"` + by + `"dispatch asked to cancel"`},
		{"POST /v1/dispatches/" + done + "/cancel", "", ""},
		{"DELETE /v1/dispatches/" + done, "", `"dispatch":"` + done + `"` + by + `"dispatch removed"`},
	} {
		before := h.log.String()
		if c.body == "" {
			h.do(c.what)
		} else {
			h.do(c.what, c.body)
		}
		lines := strings.TrimPrefix(h.log.String(), before)
		if n := strings.Count(lines, "\n"); n > 1 || (n == 0) != (c.want == "") || !strings.Contains(lines, c.want) {
			t.Errorf("%s: %s, want %s", c.what, lines, c.want)
		}
	}
}
