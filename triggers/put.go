package triggers

import (
	"context"

	"github.com/latticed/latticed/graph"
)

// PutResult says what Put has done.
type PutResult string

// What Put may have done.
const (
	Created   PutResult = "created"
	Revised   PutResult = "revised"
	Unchanged PutResult = "unchanged"
)

// Put makes the trigger of this name be as spec says, a whole JSON object: it is
// created, or what it was is replaced by a new revision, or nothing happens when the
// spec is the same. The spec may leave its name out, and null is the same as absent.
// A lattice that is named as before stays pinned to what the name meant then. The kind
// of a trigger can't be changed. Bad content is *graph.Invalid.
func (m *Manager) Put(ctx context.Context, name string, spec []byte, by Principal) (Trigger, []graph.Warning, PutResult, error) {
	if err := m.running(ctx); err != nil {
		return Trigger{}, nil, "", err
	}
	d, warnings, k, err := m.change(ctx, func() (*draft, error) { return m.draftPut(ctx, name, spec, by) })
	switch {
	case err != nil:
		return Trigger{}, nil, "", err
	case d.same:
		return m.Live(*d.old), warnings, Unchanged, nil
	case d.old == nil:
		t, err := m.settled(ctx, k)
		return t, warnings, Created, err
	}
	t, warnings, err := m.revised(ctx, k, warnings, by)
	return t, warnings, Revised, err
}
