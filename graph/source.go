package graph

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// maxDocument bounds the text of a lattice, packed files included.
const maxDocument = 64 << 20

// Source is a document as its author wrote it: `include` may be a list of globs.
// The CLI decodes it, packs the files it finds, and only then has a lattice.
type Source struct {
	src      []byte
	root     *tree
	includes []string
}

// Decode reads the text of a document. Wrong syntax and impossible globs are
// problems here; everything else is found by Lattice.
func Decode(src []byte) (*Source, error) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	root, err := readTree(src)
	if err != nil {
		return nil, err
	}
	s := &Source{src: src, root: root}
	if root.kind != kindMap {
		return s, nil
	}
	if list := root.get("include"); list != nil && list.kind == kindList {
		b := builder{src: src}
		for i, it := range list.items {
			b.glob(it, item("include", i))
		}
		if err := b.problems.err(); err != nil {
			return nil, err
		}
		for _, it := range list.items {
			s.includes = append(s.includes, it.value.(string))
		}
	}
	return s, nil
}

// Includes returns the globs of `include`, relative to the document's directory. It
// is empty when the document has none or holds its files already.
func (s *Source) Includes() []string { return s.includes }

// Pack replaces `include` by the files themselves, by path with slashes, relative to
// the document's directory.
func (s *Source) Pack(files map[string]Include) {
	packed := map[string]any{}
	for path, f := range files {
		packed[path] = f.document()
	}
	t := treeOf(packed)
	if old := s.root.get("include"); old != nil {
		t.place(old.pos)
		*old = *t
	} else if len(files) > 0 && s.root.kind == kindMap {
		s.root.members = append(s.root.members, member{key: "include", value: t, pos: s.root.pos})
	}
	s.includes = nil
}

// Document is what would be sent: the canonical form, but for 1e16 and its like, which
// have to be told from integers that are refused.
func (s *Source) Document() ([]byte, error) { return Canonical(sent(s.root.plain())) }

// sentNumber is a float64 that is written with an exponent.
type sentNumber float64

// sent changes v where Canonical would write a float64 as an integer that is refused.
func sent(v any) any {
	switch v := v.(type) {
	case float64:
		if math.Abs(v) > maxSafe {
			return sentNumber(v)
		}
	case []any:
		for i := range v {
			v[i] = sent(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = sent(v[key])
		}
	}
	return v
}

// Lattice checks the document. Problems point into the author's text.
func (s *Source) Lattice() (*Lattice, error) { return build(s.src, s.root) }

// place gives everything in t one position.
func (t *tree) place(at pos) {
	t.pos = at
	for i := range t.members {
		t.members[i].pos = at
		t.members[i].value.place(at)
	}
}

// document is the stored form of a packed file.
func (f Include) document() any {
	switch {
	case f.SHA256 != "":
		return map[string]any{"sha256": f.SHA256}
	case utf8.Valid(f.Data):
		return map[string]any{"text": string(f.Data)}
	}
	return map[string]any{"base64": encodeBase64(f.Data)}
}

// readTree reads YAML or JSON. A text that begins like an object in JSON is tried as
// such first: JSON knows escapes that YAML does not.
func readTree(src []byte) (*tree, error) {
	if len(src) > maxDocument {
		return nil, &Invalid{Problems: []Problem{{
			Code: CodeTooLarge, Message: fmt.Sprintf("the document is larger than %d MiB; send big files as assets", maxDocument>>20),
		}}}
	}
	looksJSON := looksLikeJSON(src)
	if looksJSON {
		t, err := jsonTree(src, true)
		if err == nil {
			return t, nil
		}
		var p *problemError
		if errors.As(err, &p) && p.code != CodeSyntax {
			return nil, invalidAt(src, err)
		}
	}
	t, err := yamlTreeSafely(src)
	if err == nil {
		return t, nil
	}
	if looksJSON {
		_, err = jsonTree(src, true)
	}
	return nil, invalidAt(src, err)
}

// yamlTreeSafely turns a panic of the library into a syntax error.
func yamlTreeSafely(src []byte) (t *tree, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &problemError{pos: pos{line: 1, column: 1}, code: CodeSyntax, err: fmt.Errorf("not valid YAML: %v", r)}
		}
	}()
	return yamlTree(src)
}

// looksLikeJSON tells {"key" … from {key: value}, which is YAML.
func looksLikeJSON(src []byte) bool {
	s := strings.TrimLeft(string(src[:min(len(src), 1024)]), " \t\r\n")
	if !strings.HasPrefix(s, "{") {
		return false
	}
	s = strings.TrimLeft(s[1:], " \t\r\n")
	return s == "" || s[0] == '"' || s[0] == '}'
}

// invalidAt makes the one problem of a syntax error.
func invalidAt(src []byte, err error) error {
	var p *problemError
	if !errors.As(err, &p) {
		return err
	}
	line, column := p.pos.in(src)
	return &Invalid{Problems: []Problem{{Path: p.path, Line: line, Column: column, Code: p.code, Message: p.Error()}}}
}

// in returns line and column.
func (p pos) in(src []byte) (line, column int) {
	if p.line > 0 {
		return p.line, p.column
	}
	if src == nil {
		return 0, 0
	}
	return position(src, p.offset)
}
