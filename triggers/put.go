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
// spec is the same. The spec may leave its name out. The kind of a trigger can't be
// changed. Bad content is *graph.Invalid.
func (m *Manager) Put(ctx context.Context, name string, spec []byte, by Principal) (Trigger, []graph.Warning, PutResult, error) {
	return Trigger{}, nil, "", errUnwritten
}
