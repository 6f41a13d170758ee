package triggers

import (
	"fmt"
	"strings"
)

const (
	// rejectedInARow is how many decisions in a row have to be rejections for the trigger
	// to count as degraded.
	rejectedInARow = 5
	// rejectsPrefix begins the reason of such a trigger.
	rejectsPrefix = "the last "
	// misfitPrefix begins the reason of one that can't but reject.
	misfitPrefix = "no event can run: "
)

// notice looks at decisions that were stored: a trigger that only rejects looks well,
// and does nothing. k.mu is held.
func (k *keeper) notice(verdicts []Verdict) {
	was := k.health.rejects
	for _, v := range verdicts {
		switch v.State {
		case EventFired:
			k.rejections, k.health.rejects = 0, ""
		case EventRejected:
			if k.rejections++; k.rejections >= rejectedInARow && k.health.rejects == "" {
				k.health.rejects = clip(fmt.Sprintf("%s%d decisions were rejections, the last one for %s; set the trigger right, then `latticed trigger retry %s` runs them again", rejectsPrefix, k.rejections, v.Reason, k.name))
			}
		case EventPending, EventHeld, EventSkipped, EventDead:
		}
	}
	if k.health.rejects != was {
		k.storeHealth(k.ctx)
	}
}

// remember takes over from before a restart that a trigger only rejects.
func (k *keeper) remember() {
	if t := &k.trigger; (t.State == Degraded || t.State == Paused) && strings.HasPrefix(t.Reason, rejectsPrefix) {
		k.rejections, k.health.rejects = rejectedInARow, t.Reason
	}
}

// tellMisfit shows that no event can become a dispatch: the lattice that the trigger
// follows has changed, or what is refused today was taken once. The events are rejected
// all the same, so that a restart makes no difference. k.mu is held.
func (k *keeper) tellMisfit() {
	was := k.health.rejects
	switch err := k.plan.fit(); {
	case err != nil:
		otherwise := ""
		if k.plan.follows != "" {
			otherwise = ", or store a lattice " + k.plan.follows + " that takes them"
		}
		k.health.rejects = clip(fmt.Sprintf("%s%v; change the inputs of the trigger%s, then `latticed trigger retry %s` runs what was rejected", misfitPrefix, err, otherwise, k.name))
	case strings.HasPrefix(was, misfitPrefix):
		k.health.rejects = ""
	}
	if k.health.rejects != was {
		k.storeHealth(k.ctx)
	}
}
