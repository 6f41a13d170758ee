package triggers

import (
	"errors"
	"time"
)

// outdated is told that the ledger knows another revision. Whoever made it replaces
// this keeper; when the answer to that was lost nobody does, so it is loaded again.
func (k *keeper) outdated() {
	k.renewal.Do(func() {
		k.m.mu.Lock()
		defer k.m.mu.Unlock()
		if !k.m.closed {
			k.m.work.Go(func() { k.m.renew(k) })
		}
	})
}

// renew loads the trigger again, as soon as the ledger answers.
func (m *Manager) renew(k *keeper) {
	for {
		if err := m.reload(k); err == nil {
			return
		}
		select { // the ledger did not answer
		case <-m.ctx.Done():
			return
		case <-time.After(backoffMin):
		}
	}
}

// reload replaces a keeper by one of the stored revision, unless that was done.
func (m *Manager) reload(k *keeper) error {
	m.edit.Lock()
	defer m.edit.Unlock()
	m.mu.RLock()
	current := m.keepers[k.id]
	m.mu.RUnlock()
	if current != k {
		return nil
	}
	t, err := m.ledger.Trigger(m.ctx, k.id)
	switch {
	case errors.Is(err, ErrNotFound):
		m.halt(k.id)
	case err != nil:
		return err
	default:
		m.replace(t, nil)
	}
	return nil
}
