package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/latticed/latticed/dispatcher"
)

// replacements reads the documents that take the place of electrons.
func replacements(raw map[string]json.RawMessage) (map[string][]byte, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	docs := make(map[string][]byte, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if err := objectOnly("replace_electrons."+name, raw[name]); err != nil {
			return nil, err
		}
		docs[name] = bytes.TrimSpace(raw[name])
	}
	return docs, nil
}

func redispatchPlan(p dispatcher.Plan) RedispatchPlan {
	out := RedispatchPlan{
		Lattice: LatticeRef{ID: p.Lattice.ID, Name: p.Lattice.Name}, Inputs: p.Inputs,
		Electrons: make([]ElectronPlan, 0, len(p.Electrons)), Warnings: warningsOf(p.Warnings),
	}
	for _, e := range p.Electrons {
		out.Electrons = append(out.Electrons, ElectronPlan{Name: e.Name, Action: e.Action, Reason: e.Reason})
	}
	return out
}
