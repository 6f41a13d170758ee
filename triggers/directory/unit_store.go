package directory

import (
	"encoding/json"
	"fmt"

	"github.com/latticed/latticed/triggers"
)

// unitData is what is stored with a unit beside its version.
type unitData struct {
	State string `json:"state"`
	First int64  `json:"first"` // µs
	Key   string `json:"key,omitempty"`
}

func (u *unit) entityKey() []byte { return []byte(unitPrefix + u.id) }

// store adds the entity of a unit if it has changed.
func (a *units) store(u *unit, r *report) {
	if u.told || u.past.first == 0 {
		return
	}
	data, err := json.Marshal(unitData{unitWords[u.past.state], u.past.first / 1000, u.past.key})
	if err != nil {
		data = nil // texts and numbers always marshal
	}
	version := u.past.content.String() + "." + u.past.marking.String()
	r.entities = append(r.entities, triggers.Change{Key: u.entityKey(), Version: version, Data: data})
	u.told, u.stored = true, true
}

// restore takes over what was stored of a unit.
func (a *units) restore(c triggers.Change) error {
	id := string(c.Key[len(unitPrefix):])
	p, err := parsePast(c)
	if err != nil {
		return err
	}
	u := a.unit(id)
	u.past, u.told, u.stored, u.known = p, true, true, true
	if a.form == aFolder {
		u.here, u.guessed = true, true
		a.unseen = append(a.unseen, u)
	}
	a.appoint(u, soon)
	return nil
}

// parsePast reads the entity of a unit.
func parsePast(c triggers.Change) (past, error) {
	var p past
	var data unitData
	if err := json.Unmarshal(c.Data, &data); err != nil {
		return p, fmt.Errorf("read the unit %q: %w", c.Key, err)
	}
	known := false
	for i, word := range unitWords {
		if word == data.State {
			p.state, known = unitState(i), true
		}
	}
	if !known || len(c.Version) != 65 {
		return p, fmt.Errorf("read the unit %q: state %q, version %q", c.Key, data.State, c.Version)
	}
	var err error
	if p.content, err = parseSum(c.Version[:32]); err != nil {
		return p, fmt.Errorf("read the unit %q: %w", c.Key, err)
	}
	if p.marking, err = parseSum(c.Version[33:]); err != nil {
		return p, fmt.Errorf("read the unit %q: %w", c.Key, err)
	}
	p.first, p.key = data.First*1000, data.Key
	return p, nil
}
