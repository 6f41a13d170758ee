package triggers

import (
	"context"
	"errors"

	"github.com/latticed/latticed/graph"
)

// maxDrafts is how often a change is drafted of which others were faster.
const maxDrafts = 10

// editing runs f while nobody else adds, changes, pauses or removes triggers. Somebody
// may recover from a panic of f, and the others have to go on then.
func (m *Manager) editing(f func() (*keeper, error)) (*keeper, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	return f()
}

// change stores what drafted says and runs it; of a draft that changes nothing it returns
// no keeper. It is drafted beside other edits, since the folder that it is about may not
// answer; when the trigger was changed meanwhile it is drafted anew.
func (m *Manager) change(ctx context.Context, drafted func() (*draft, error)) (*draft, []graph.Warning, *keeper, error) {
	for try := 1; ; try++ {
		d, err := drafted()
		if err != nil {
			return nil, nil, nil, err
		}
		warnings := d.plan.warnings() // when it is stored the plan is the keeper's
		if d.same {
			return d, warnings, nil, nil
		}
		k, err := m.editing(func() (*keeper, error) {
			if d.old == nil {
				return m.create(ctx, d)
			}
			return m.revise(ctx, d)
		})
		if err == nil || try == maxDrafts || !d.overtaken(err) {
			return d, warnings, k, err
		}
	}
}

// overtaken tells whether a draft was not stored because somebody else was faster.
func (d *draft) overtaken(err error) bool {
	var conflict *ConflictError
	taken := errors.As(err, &conflict) && conflict.Code == "name_taken"
	return errors.Is(err, ErrRevised) || d.old == nil && taken
}
