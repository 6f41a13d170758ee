package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

const yamlLattice = `
lattice: greet
description: Say hello
inputs:
  name: {type: string, default: you}
electrons:
  work: {run: [say, "hello ${{ inputs.name }}"]}
`

func TestLattice_is_stored_from_YAML_and_JSON_alike(t *testing.T) {
	h := newHouse(t)
	a := h.do("POST /v1/lattices", "Content-Type: application/yaml", yamlLattice).want(201)
	b := h.do("POST /v1/lattices", `{"electrons": {"work": {"run": ["say", "hello ${{ inputs.name }}"]}}, "lattice": "greet",
		"description": "Say hello", "inputs": {"name": {"default": "you", "type": "string"}}}`).want(200)
	if a.text("id") != b.text("id") || len(a.text("id")) != 64 || a.text("name") != "greet" || a.text("names.0") != "greet" || a.field("electrons") != 1.0 {
		t.Errorf("%s\n%s", a.body, b.body)
	}
	c := h.do("GET /v1/lattices/greet").want(200)
	if c.text("id") != a.text("id") || c.text("document.lattice") != "greet" {
		t.Errorf("%s", c.body)
	}
	if d := h.do("GET /v1/lattices/" + a.text("id")).want(200); string(d.body) != string(c.body) {
		t.Errorf("%s", d.body)
	}
	list := h.do("GET /v1/lattices").want(200)
	if len(list.field("items").([]any)) != 1 || list.field("items.0.document") != nil {
		t.Errorf("%s", list.body)
	}
}

func TestLattice_inline_ones_get_no_name(t *testing.T) {
	h := newHouse(t)
	h.dispatch(one("say", "x"))
	if items := h.do("GET /v1/lattices").want(200).field("items").([]any); len(items) != 0 {
		t.Errorf("%v", items)
	}
	h.do("GET /v1/lattices/one").want(404)
}

func TestAsset_is_put_and_included(t *testing.T) {
	h := newHouse(t)
	content := strings.Repeat("0123456789", 100_000)
	sum := sha256.Sum256([]byte(content))
	a := h.do("POST /v1/assets", "Content-Type: application/octet-stream", content).want(201)
	if a.text("sha256") != hex.EncodeToString(sum[:]) || a.field("size") != float64(len(content)) {
		t.Fatalf("%s", a.body)
	}
	h.do("POST /v1/lattices", fmt.Sprintf(`{"lattice": "inc", "include": {"data.bin": {"sha256": %q}, "x.txt": {"text": "small"}},
		"electrons": {"work": {"run": ["say"]}}}`, a.text("sha256"))).want(201)
	if got := h.do("GET /v1/lattices/inc/include?path=data.bin").want(200); string(got.body) != content {
		t.Errorf("%d bytes", len(got.body))
	}
	if got := h.do("GET /v1/lattices/inc/include?path=x.txt").want(200); string(got.body) != "small" {
		t.Errorf("%s", got.body)
	}
	t.Run("a_missing_one_is_named", func(t *testing.T) {
		p := h.do("POST /v1/lattices", fmt.Sprintf(`{"lattice": "inc", "include": {"data.bin": {"sha256": %q}},
			"electrons": {"work": {"run": ["say"]}}}`, strings.Repeat("ab", 32))).want(422)
		if p.text("errors.0.path") != "include.data.bin" || p.text("errors.0.code") != "missing_asset" {
			t.Errorf("%s", p.body)
		}
	})
}
