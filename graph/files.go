package graph

import (
	"encoding/base64"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var sha256RE = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

func encodeBase64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// include reads the packed files.
func (b *builder) include(t *tree, at string) {
	switch t.kind {
	case kindMap:
	case kindList:
		b.problem(t, at, CodeInclude,
			"files have to be packed in, {path: {text: …}}: the daemon opens no file that a document names; the commands of latticed do this for you")
		return
	case kindNull, kindBool, kindNumber, kindText:
		b.problem(t, at, CodeWrongType, "include is a list of globs, or a mapping of paths to files, not %s", t.kind)
		return
	}
	b.lattice.Include = make(map[string]Include, len(t.members))
	for _, m := range t.members {
		file := join(at, m.key)
		if problem := relativeFile(m.key); problem != "" {
			b.problemAt(m.pos, file, CodeBadPath, "%s", problem)
		} else if m.key == "in" || strings.HasPrefix(m.key, "in/") {
			b.problemAt(m.pos, file, CodeBadPath, "in/ is where the files of other electrons are laid out; name it otherwise")
		}
		b.lattice.Include[m.key] = b.packed(m.value, file)
	}
	for _, m := range t.members {
		for dir := path.Dir(m.key); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if _, ok := b.lattice.Include[dir]; ok {
				b.problemAt(m.pos, join(at, m.key), CodeBadPath, "%s is a file, it can't hold another one", quote(dir))
			}
		}
	}
}

// packed reads {text}, {base64} or {sha256}.
func (b *builder) packed(t *tree, at string) Include {
	var f Include
	ok := b.fields(t, at, "an included file", []field{
		{"text", func(t *tree, at string) {
			s, ok := t.text()
			if !ok {
				b.problem(t, at, CodeWrongType, "text is expected, not %s", t.kind)
			}
			f.Data = []byte(s)
		}},
		{"base64", func(t *tree, at string) {
			s, _ := t.text()
			data, err := base64.StdEncoding.Strict().DecodeString(s)
			if err != nil || t.kind != kindText {
				b.problem(t, at, CodeBadValue, "this is not base64 (RFC 4648 §4, with padding)")
			}
			f.Data = data
		}},
		{"sha256", func(t *tree, at string) {
			s, _ := t.text()
			if !sha256RE().MatchString(s) {
				b.problem(t, at, CodeBadValue, "a SHA-256 is 64 digits of 0-9 and a-f")
			}
			f.SHA256 = s
		}},
	})
	if ok && len(t.members) != 1 {
		b.problem(t, at, CodeInclude, "give exactly one of text, base64 or sha256")
	}
	return f
}

// includeHint points at the included file that was probably meant.
func (b *builder) includeHint(file string) string {
	var known []string
	for name := range b.lattice.Include {
		known = append(known, name)
	}
	if len(known) == 0 {
		return "; the document includes none"
	}
	slices.Sort(known)
	return didYouMean(file, known)
}

// outputs reads the files that an electron leaves.
func (b *builder) outputs(electron *tree, electronPath string) []Output {
	t, at := electron.get("outputs"), join(electronPath, "outputs")
	if t == nil {
		return nil
	}
	if t.kind != kindMap {
		b.problem(t, at, CodeWrongType, "outputs is a mapping of names to paths, not %s", t.kind)
		return nil
	}
	var outputs []Output
	for _, m := range t.members {
		o := Output{Name: m.key}
		where := join(at, m.key)
		if !ValidName(m.key) {
			b.problemAt(m.pos, where, CodeBadName, "%s", badName("an output", m.key))
			continue
		}
		if m.value.kind == kindMap {
			b.fields(m.value, where, "an output", []field{
				{"path", func(t *tree, at string) { o.Path = b.outputPath(t, at) }},
				{"optional", func(t *tree, at string) { b.boolean(t, at, &o.Optional) }},
			})
			if m.value.get("path") == nil {
				b.problem(m.value, where, CodeMissing, "the key path is missing")
			}
		} else {
			o.Path = b.outputPath(m.value, where)
		}
		outputs = append(outputs, o)
	}
	slices.SortFunc(outputs, func(x, y Output) int { return strings.Compare(x.Name, y.Name) })
	return outputs
}

func (b *builder) outputPath(t *tree, at string) string {
	s, ok := b.text(t, at)
	if !ok {
		return ""
	}
	if problem := relativeFile(s); problem != "" {
		b.problem(t, at, CodeBadPath, "%s", problem)
		return ""
	}
	return s
}

// relativeFile says what is wrong with the path of a file below a directory, or "".
func relativeFile(p string) string {
	switch {
	case p == "" || p == ".":
		return "a path of a file is expected"
	case strings.HasPrefix(p, "/"):
		return quote(p) + " is absolute; give a path relative to the working directory"
	case p == ".." || strings.HasPrefix(path.Clean(p), "../") || path.Clean(p) == "..":
		return quote(p) + " leaves the directory"
	case strings.ContainsAny(p, "\x00\n\r"):
		return quote(p) + " has a control character in it"
	case len(p) > 1024:
		return quote(p) + " is longer than 1024 bytes"
	case path.Clean(p) != p:
		return quote(p) + " is not in its shortest form; write " + quote(path.Clean(p))
	}
	return ""
}

// glob checks one entry of the list form of include.
func (b *builder) glob(t *tree, at string) {
	s, ok := b.text(t, at)
	if !ok {
		return
	}
	if problem := relativeFile(s); problem != "" {
		b.problem(t, at, CodeBadPath, "%s", problem)
	} else if _, err := path.Match(s, ""); err != nil {
		b.problem(t, at, CodeBadValue, "%s is not a glob: a [ has no end", quote(s))
	}
}
