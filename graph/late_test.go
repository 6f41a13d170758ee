package graph

import "testing"

func TestLate_is_what_asks_for_what_only_the_store_knows(t *testing.T) {
	for expr, late := range map[string]bool{
		"1 + inputs.n":                        false,
		"dispatch.id":                         false,
		"dispatch.labels.x ?? dispatch.id":    false,
		"dispatch?.parent_id":                 false,
		"dispatch.number":                     true,
		"dispatch[\"number\"]":                true,
		"dispatch[inputs.s]":                  true,
		"dispatch":                            true,
		"keys(dispatch)":                      true,
		"map([1], # + dispatch.number)[0]":    true,
		"let d = dispatch; d.root_id":         true,
		"dispatch.trigger ?? inputs.s":        true,
		"inputs.n > 0 ? dispatch.root_id : 1": true,
	} {
		l, err := Parse([]byte("lattice: l\ninputs: {n: {type: integer, default: 1}, s: {type: string, default: id}}\nelectrons:\n  a: {run: [x], env: {A: '${{ " + expr + " }}'}}\n"))
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if l.Late() != late {
			t.Errorf("%s: late %v", expr, l.Late())
		}
	}
	l, err := Parse([]byte("lattice: l\nelectrons:\n  a: {run: [x]}\noutput: ${{ dispatch.number }}\n"))
	if err != nil || l.Late() {
		t.Errorf("an output is composed later: %v, %v", l.Late(), err)
	}
}
