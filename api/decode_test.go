package api

import (
	"errors"
	"strings"
	"testing"
)

func TestStrict_refuses_what_it_does_not_know(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"empty", "", `:0:0: the body is empty; a JSON object is needed`},
		{"blank", " \n ", `:0:0: the body is empty; a JSON object is needed`},
		{"not_json", `{"lattice": x}`, `:1:13: not JSON: invalid character 'x' looking for beginning of value`},
		{"cut_off", `{"lattice": "a"`, `:1:16: not JSON: it ends in the middle`},
		{"trailing_data", `{"lattice": "a"} {}`, `:1:18: there is more after the JSON object`},
		{"trailing_garbage", `{"lattice": "a"}]`, `:1:17: there is more after the JSON object`},
		{"a_list", `[]`, `:1:1: must be an object, not a list`},
		{"text", `"x"`, `:1:1: must be an object, not text`},
		{"null", `null`, `:1:1: must be an object, not null`},
		{"unknown_key", "{\"lattice\": \"a\",\n \"input\": {}}", `input:2:2: unknown key; did you mean "inputs"?`},
		{"unknown_key_unlike_any", `{"lattice": "a", "zzzzzz": 1}`, `zzzzzz:1:18: unknown key; known are disable_run, inputs, labels, lattice, note`},
		{"wrong_case", `{"Lattice": "a", "lattice": "b"}`, `Lattice:1:2: unknown key; did you mean "lattice"?`},
		{"repeated_key", `{"lattice": "a", "lattice": "b"}`, `lattice:1:18: the key appears twice`},
		{"repeated_key_inside", `{"lattice": {"a": {"b": 1, "b": 2}}}`, `lattice.a.b:1:28: the key appears twice`},
		{"repeated_key_in_list", `{"lattice": [1, {"b": 1, "b": 2}]}`, `lattice[1].b:1:26: the key appears twice`},
		{"missing_key", `{"note": "x"}`, `lattice:1:1: is missing`},
		{"note_is_a_number", `{"lattice": "a", "note": 7}`, `note:1:26: must be text, not 7`},
		{"note_is_null", `{"lattice": "a", "note": null}`, `note:1:26: must be text, not null`},
		{"flag_is_text", `{"lattice": "a", "disable_run": "yes"}`, `disable_run:1:33: must be true or false, not text`},
		{"labels_are_a_list", `{"lattice": "a", "labels": []}`, `labels:1:28: must be an object, not a list`},
		{"label_is_a_number", `{"lattice": "a", "labels": {"k": 1.5}}`, `labels.k:1:34: must be text, not 1.5`},
		{"runes_are_columns", `{"note": "äöü", "x": 1, "lattice": "a"}`, `x:1:17: unknown key; known are disable_run, inputs, labels, lattice, note`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var into NewDispatch
			err := strict([]byte(c.body), &into)
			var e *Error
			if !errors.As(err, &e) || e.Status != 422 {
				t.Fatalf("%v is not a refusal", err)
			}
			if got := located(e.Errors[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestStrict_lists_every_finding(t *testing.T) {
	var into NewDispatch
	err := strict([]byte(`{"lable": {}, "note": 1, "disable_run": 0}`), &into)
	var e *Error
	if !errors.As(err, &e) || len(e.Errors) != 4 {
		t.Fatalf("%+v", err)
	}
	if want := `lable: unknown key; did you mean "labels"? (and 3 more)`; e.Detail != want {
		t.Errorf("got %s, want %s", e.Detail, want)
	}
}

func TestStrict_is_bounded(t *testing.T) {
	t.Run("by_depth", func(t *testing.T) {
		var into NewDispatch
		err := strict([]byte(`{"lattice": `+strings.Repeat("[", 100_000)), &into)
		if err == nil || !strings.Contains(err.Error(), "more than 500 levels") {
			t.Errorf("%.200v", err)
		}
	})
	t.Run("by_findings", func(t *testing.T) {
		var into NewDispatch
		body := `{"lattice": "a"` + strings.Repeat(`, "x": 1`, 1000) + `}`
		var e *Error
		if !errors.As(strict([]byte(body), &into), &e) || len(e.Errors) != maxFindings {
			t.Errorf("%d findings", len(e.Errors))
		}
	})
}

func TestStrict_keeps_what_is_right(t *testing.T) {
	var into NewDispatch
	body := `{"lattice": {"big": 12345678901234567890}, "inputs": {"n": null}, "labels": {"a": "b"}, "disable_run": true}`
	if err := strict([]byte(body), &into); err != nil {
		t.Fatal(err)
	}
	if string(into.Lattice) != `{"big": 12345678901234567890}` || string(into.Inputs) != `{"n": null}` || into.Labels["a"] != "b" || !into.DisableRun {
		t.Errorf("%+v", into)
	}
}

func FuzzStrict(f *testing.F) {
	for _, s := range []string{`{"lattice":"a"}`, `{"lattice":{"a":[1,{"b":null}]},"labels":{"x":"y"}}`, `{"a":`, `[`, `{"lattice":1}x`, "\xff", `{"\u0000":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var into NewDispatch
		err := strict(body, &into)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error without an answer: %v", err)
		}
	})
}

func located(e FieldError) string {
	var b strings.Builder
	b.WriteString(e.Path)
	for _, n := range []int{e.Line, e.Column} {
		b.WriteString(":" + itoa(n))
	}
	return b.String() + ": " + e.Message
}
