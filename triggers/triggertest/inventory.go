package triggertest

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/latticed/latticed/triggers"
)

// Cursor implements triggers.Ledger.
func (l *Ledger) Cursor(_ context.Context, id string) (_ json.RawMessage, err error) {
	err = l.begin("Cursor")
	defer l.end("Cursor", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.find(id)
	if err != nil {
		return nil, err
	}
	return r.cursor, nil
}

// Entities implements triggers.Ledger.
func (l *Ledger) Entities(_ context.Context, id string, f func(triggers.Change) error) (err error) {
	err = l.begin("Entities")
	var all []triggers.Change
	if r := l.triggers[id]; err == nil && r != nil {
		for _, c := range r.entities {
			all = append(all, c)
		}
	}
	l.end("Entities", &err)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b triggers.Change) int { return bytes.Compare(a.Key, b.Key) })
	for _, c := range all {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// Entity implements triggers.Ledger.
func (l *Ledger) Entity(_ context.Context, id string, key []byte) (c triggers.Change, found bool, err error) {
	err = l.begin("Entity")
	defer l.end("Entity", &err)
	if err != nil {
		return c, false, err
	}
	if r := l.triggers[id]; r != nil {
		c, found = r.entities[string(key)]
	}
	return c, found, nil
}
