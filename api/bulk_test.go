package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func (a answer) bulk() BulkDone {
	a.t.Helper()
	return decodeAs[BulkDone](a.want(200))
}

func TestBulkCancel(t *testing.T) {
	h := newHouse(t)
	holding := `{"lattice": "w", "inputs": {"n": {"type": "integer"}}, "electrons": {"work": {"run": ["hold"]}}}`
	h.do("POST /v1/sweeps", `{"lattice": `+holding+`, "grid": {"n": [1, 2, 3, 4, 5]}, "max_in_flight": 2, "name": "a,b"}`).want(422)
	h.do("POST /v1/sweeps", `{"lattice": `+holding+`, "grid": {"n": [1, 2, 3, 4, 5]}, "max_in_flight": 2, "name": "s", "labels": {"why": "a,b=c"}}`).want(201)
	done := h.dispatch(one("say", "x"), `, "labels": {"why": "a,b=c"}`)
	h.ended(done)
	template := h.dispatch(holding, `, "inputs": {"n": 6}, "labels": {"why": "a,b=c"}, "disable_run": true`)

	t.Run("a_dry_run_lists_what_has_not_ended", func(t *testing.T) {
		got := h.do("POST /v1/bulk/cancel", `{"where": {"label": {"why": "a,b=c"}}, "dry_run": true}`).bulk()
		if got.Found != 5 || got.Done != 0 || len(got.Items) != 5 || got.Items[0].Number != 5 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("more_than_allowed_are_refused_with_their_number", func(t *testing.T) {
		a := h.do("POST /v1/bulk/cancel", `{"where": {"lattice": "w"}, "max": 4}`).want(409)
		if a.text("code") != "too_many_found" || a.field("found") != 5.0 {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("asks_all_to_end_and_lets_none_go_meanwhile", func(t *testing.T) {
		got := h.do("POST /v1/bulk/cancel", "Idempotency-Key: k", `{"where": {"label": {"sweep": "s"}, "input": {"n": 5}}}`).bulk()
		if got.Found != 1 || got.Done != 1 || got.Items[0].Number != 5 || got.Items[0].Status != "cancelled" {
			t.Errorf("%+v", got)
		}
		again := h.do("POST /v1/bulk/cancel", "Idempotency-Key: k", `{"where": {"label": {"sweep": "s"}, "input": {"n": 5}}}`)
		if again.bulk().Done != 1 || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s", again.body)
		}
		if got = h.do("POST /v1/bulk/cancel", `{"where": {"lattice": "w"}}`).bulk(); got.Found != 4 || got.Done != 4 {
			t.Errorf("%+v", got)
		}
		for n := 1; n <= 5; n++ {
			d := h.ended(fmt.Sprint(n))
			if d.text("status") != "cancelled" || n > 2 && d.field("started_at") != nil {
				t.Errorf("%s", d.body)
			}
		}
	})
	t.Run("what_waits_to_be_started_ends_when_it_is_named", func(t *testing.T) {
		if s := h.do("GET /v1/dispatches/" + template).text("status"); s != "new" {
			t.Fatal(s)
		}
		got := h.do("POST /v1/bulk/cancel", `{"where": {"status": ["new", "completed"], "label": {"why": "a,b=c"}}}`).bulk()
		if got.Found != 1 || got.Items[0].ID != template {
			t.Errorf("%+v", got)
		}
	})
}

func TestBulkRedispatch(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/sweeps", `{"lattice": `+sweepable+`, "grid": {"bins": [16, 32, 64]}, "name": "first"}`).want(201)
	for n := 1; n <= 3; n++ {
		h.ended(fmt.Sprint(n))
	}
	other := h.dispatch(one("say", "x"))
	h.ended(other)
	where := `"where": {"status": ["completed"], "since": "2020-01-01T00:00:00Z"}`

	t.Run("a_dry_run_says_what_would_be_refused", func(t *testing.T) {
		got := h.do("POST /v1/bulk/redispatch", `{`+where+`, "inputs": {"alg": "q"}, "dry_run": true}`).bulk()
		if got.Found != 4 || got.Done != 0 || got.Refused != 1 || got.Items[0].ID != other || !strings.Contains(got.Items[0].Error, `no input "alg"`) || got.Items[1].Number != 1 {
			t.Errorf("%+v", got)
		}
		if h.listed("") != 4 {
			t.Error("something was made")
		}
	})
	t.Run("the_others_run_again_with_what_was_changed", func(t *testing.T) {
		body := `{` + where + `, "inputs": {"alg": "q"}, "labels": {"why": "again"}, "max_in_flight": 1}`
		a := h.do("POST /v1/bulk/redispatch", "Idempotency-Key: k", body)
		got := a.bulk()
		if got.Done != 3 || got.Refused != 1 || got.Items[1].Made != 5 || got.Items[3].Made != 7 || !strings.HasPrefix(got.Label, "sweep=sweepable-") {
			t.Errorf("%+v", got)
		}
		if again := h.do("POST /v1/bulk/redispatch", "Idempotency-Key: k", body); string(again.body) != string(a.body) {
			t.Errorf("%s", again.body)
		}
		var bins []float64
		for n := 5; n <= 7; n++ {
			d := h.ended(fmt.Sprint(n))
			bins = append(bins, d.field("inputs.bins").(float64))
			if d.text("inputs.alg") != "q" || d.text("labels.why") != "again" || d.text("status") != "completed" {
				t.Errorf("%s", d.body)
			}
		}
		if !slices.Equal(bins, []float64{16, 32, 64}) || h.listed("label="+got.Label) != 3 {
			t.Errorf("%v", bins)
		}
	})
	t.Run("nothing_is_made_when_nothing_fits", func(t *testing.T) {
		got := h.do("POST /v1/bulk/redispatch", `{"where": {"lattice": "one"}, "inputs": {"alg": "q"}}`).bulk()
		if got.Done != 0 || got.Refused != 1 || got.Label != "" {
			t.Errorf("%+v", got)
		}
		if got = h.do("POST /v1/bulk/redispatch", `{"where": {"lattice": "nothing"}}`).bulk(); got.Found != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestBulk_refuses(t *testing.T) {
	h := newHouse(t)
	for _, test := range []struct{ route, body, want string }{
		{"cancel", `{"where": {}}`, "where: name at least one condition"},
		{"redispatch", `{"where": {}}`, "where: name at least one condition"},
		{"cancel", `{"where": {"status": ["done"]}}`, `where.status: there is no status "done"`},
		{"cancel", `{"where": {"status": ["failed", "completed"]}}`, "where.status: what is failed or completed has ended"},
		{"cancel", `{"where": {"since": "yesterday"}}`, "where.since: must be an instant"},
		{"cancel", `{"where": {"lattice": "x"}, "max": 10001}`, "max: must be between 1 and 10000"},
		{"cancel", `{"where": {"lattice": "x"}, "max": -1}`, "max: must be between 1 and 10000"},
		{"cancel", `{"where": {"lattices": "x"}}`, "where.lattices: "},
		{"cancel", `{"where": {"input": 3}}`, "where.input: must be a JSON object"},
		{"redispatch", `{"where": {"lattice": "x"}, "labels": {"sweep": "x"}}`, "labels.sweep: is what the new dispatches are called together"},
		{"redispatch", `{"where": {"lattice": "x"}, "max_in_flight": 10001}`, "max_in_flight: must be between 1 and 10000"},
	} {
		a := h.do("POST /v1/bulk/"+test.route, test.body).want(422)
		if !strings.HasPrefix(a.text("detail"), test.want) {
			t.Errorf("%s %s\n got %s\nwant %s", test.route, test.body, a.text("detail"), test.want)
		}
	}
	h.do("POST /v1/bulk/cancel").want(422)
	h.do("POST /v1/bulk/redispatch").want(422)
}
