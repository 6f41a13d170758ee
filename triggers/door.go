package triggers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
)

// Door is the hash of what leads to a trigger from outside, such as a secret path. One is
// looked up by it, so that the time that takes tells nothing about what is hashed.
type Door [sha256.Size]byte

// Behind tells whether there is a trigger, one that runs or is to run, behind one of some
// doors (see Options.Doors) of which f is true. It is asked about id, name and spec, which
// a revision never changes.
func (m *Manager) Behind(ctx context.Context, doors []Door, f func(id, name string, spec json.RawMessage) bool) (bool, error) {
	if err := m.running(ctx); err != nil {
		return false, err
	}
	for _, k := range m.behind(doors) {
		if f(k.id, k.name, k.trigger.Spec) {
			return true, nil
		}
	}
	return false, nil
}

func (m *Manager) behind(doors []Door) (ks []*keeper) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, d := range doors {
		for k := range m.doors[d] {
			ks = append(ks, k)
		}
	}
	return ks
}

// openDoors makes a trigger known by its doors. m.mu is held.
func (m *Manager) openDoors(k *keeper) {
	if m.opts.Doors == nil {
		return
	}
	k.doors = m.opts.Doors(k.kind, k.id, k.name, k.trigger.Spec)
	for _, d := range k.doors {
		if m.doors[d] == nil {
			m.doors[d] = map[*keeper]bool{}
		}
		m.doors[d][k] = true
	}
}

// closeDoors forgets them. m.mu is held.
func (m *Manager) closeDoors(k *keeper) {
	for _, d := range k.doors {
		if delete(m.doors[d], k); len(m.doors[d]) == 0 {
			delete(m.doors, d)
		}
	}
}
