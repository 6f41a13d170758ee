package triggers

import "time"

// decideSoon kicks the gate. It never blocks.
func (k *keeper) decideSoon() {
	k.kick.Lock()
	defer k.kick.Unlock()
	switch {
	case k.kick.stopped:
	case k.kick.running:
		k.kick.again = true
	default:
		k.kick.running = true
		k.work.Go(k.kicked)
	}
}

// decideIn kicks the gate after d, to look at everything anew; an earlier
// appointment is replaced.
func (k *keeper) decideIn(d time.Duration) {
	k.kick.Lock()
	defer k.kick.Unlock()
	if k.kick.stopped {
		return
	}
	if k.kick.timer != nil {
		k.kick.timer.Stop()
	}
	k.kick.timer = time.AfterFunc(max(d, 0), func() {
		k.ended.Add(1)
		k.decideSoon()
	})
}

// kicked decides until nobody asks for more.
func (k *keeper) kicked() {
	for {
		k.decideOnce()
		k.kick.Lock()
		if !k.kick.again || k.kick.stopped {
			k.kick.running = false
			k.kick.Unlock()
			return
		}
		k.kick.again = false
		k.kick.Unlock()
	}
}

// clockSet is told that the wall clock was set: what is due may be due now, or not yet.
func (k *keeper) clockSet() {
	k.reset.Store(true)
	k.decideSoon()
	k.hint()
}

// dispatchEnded is told that a slot may be free. While most of the slots are taken a
// few more ends are awaited, so that one transaction fills several.
func (k *keeper) dispatchEnded() {
	if k.afterRuns.Load() {
		k.hint()
	}
	n := k.ended.Add(1)
	switch enough := k.blocked.Load(); {
	case enough == 0:
	case n >= enough:
		k.decideSoon()
	case n == 1:
		k.decideIn(linger)
	}
}
