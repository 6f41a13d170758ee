package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// maxElectrons bounds the width and length of a lattice.
const maxElectrons = 100_000

// Parse reads and checks a lattice document in YAML or JSON whose `include` holds
// the files. The error is an *Invalid with everything that is wrong.
func Parse(src []byte) (*Lattice, error) {
	s, err := Decode(src)
	if err != nil {
		return nil, err
	}
	return s.Lattice()
}

// Load compiles a stored document, which is in canonical form already. It skips what
// only matters when a document comes in.
func Load(doc []byte) (*Lattice, error) {
	root, err := jsonTree(doc, false)
	if err != nil {
		return nil, invalidAt(doc, err)
	}
	return buildWith(nil, root, doc)
}

func build(src []byte, root *tree) (*Lattice, error) { return buildWith(src, root, nil) }

// buildWith checks and compiles. A nil canonical form is computed.
func buildWith(src []byte, root *tree, canonical []byte) (*Lattice, error) {
	b := &builder{src: src, lattice: &Lattice{Executor: "local", OnFailure: "stop"}}
	b.document(root)
	if err := b.problems.err(); err != nil {
		return nil, err
	}
	if canonical == nil {
		var err error
		if canonical, err = Canonical(root.plain()); err != nil {
			return nil, &Invalid{Problems: []Problem{{Code: CodeBadValue, Message: err.Error()}}}
		}
	}
	l := b.lattice
	sum := sha256.Sum256(canonical)
	l.ID, l.Document = hex.EncodeToString(sum[:]), json.RawMessage(slices.Clone(canonical))
	l.dag = newDAG(l.Electrons)
	l.packed = sync.OnceValue(l.hashIncluded)
	return l, nil
}

// document reads the top level. The order matters: expressions need the inputs and
// all electrons with their outputs, electrons need the packed files.
func (b *builder) document(root *tree) {
	if root.kind != kindMap {
		b.problem(root, "", CodeWrongType, "a lattice document is a mapping with the keys lattice and electrons, not %s", root.kind)
		return
	}
	l := b.lattice
	var inputs, electrons, output *tree
	b.fields(root, "", "a lattice document", []field{
		{"lattice", func(t *tree, path string) { b.title(t, path, "a lattice", &l.Name) }},
		{"description", func(t *tree, path string) {
			var ok bool // words for people: what looks like an expression is none
			if l.Description, ok = t.text(); !ok {
				b.problem(t, path, CodeWrongType, "text is expected, not %s", t.kind)
			}
		}},
		{"include", b.include},
		{"inputs", func(t *tree, _ string) { inputs = t }},
		{"executor", func(t *tree, path string) { b.title(t, path, "an executor", &l.Executor) }},
		{"on_failure", func(t *tree, path string) { b.word(t, path, &l.OnFailure, "stop", "continue") }},
		{"electrons", func(t *tree, _ string) { electrons = t }},
		{"output", func(t *tree, _ string) { output = t }},
	})
	if root.get("lattice") == nil {
		b.problem(root, "", CodeMissing, "the key lattice is missing: it names the lattice")
	}
	if inputs != nil {
		b.inputs(inputs)
	}
	if electrons == nil {
		b.problem(root, "", CodeMissing, "the key electrons is missing: it holds the tasks")
		return
	}
	b.declare(electrons)
	b.compiler = newCompiler(latticeEnv(l))
	for i := range l.Electrons {
		b.readElectron(i)
	}
	b.link()
	if output != nil {
		b.compiler.nullSkipped = true
		l.Output = b.template(output, "output")
	}
	b.cycles()
}

// declare collects the names of the electrons and their outputs.
func (b *builder) declare(t *tree) {
	if t.kind != kindMap {
		b.problem(t, "electrons", CodeWrongType, "electrons is a mapping of names to tasks, not %s", t.kind)
		return
	}
	if len(t.members) == 0 {
		b.problem(t, "electrons", CodeMissing, "a lattice needs at least one electron")
	}
	if len(t.members) > maxElectrons {
		b.problem(t, "electrons", CodeTooLarge, "a lattice has at most %d electrons, this has %d", maxElectrons, len(t.members))
		return
	}
	members := slices.Clone(t.members)
	slices.SortFunc(members, func(x, y member) int { return strings.Compare(x.key, y.key) })
	b.electron = make(map[string]*tree, len(members))
	b.lattice.index = make(map[string]int, len(members))
	for _, m := range members {
		if !ValidName(m.key) {
			b.problemAt(m.pos, join("electrons", m.key), CodeBadName, "%s", badName("an electron", m.key))
			continue
		}
		b.electron[m.key] = m.value
		b.lattice.index[m.key] = len(b.names)
		b.names = append(b.names, m.key)
		b.lattice.Electrons = append(b.lattice.Electrons, Spec{Name: m.key, Outputs: b.outputs(m.value, join("electrons", m.key))})
	}
}
