package triggers

import (
	"maps"
	"slices"
	"sync"

	"github.com/latticed/latticed/graph"
)

// Follows says whose ends lead to events: what is given has to hold. Its JSON is stored
// in cursors.
type Follows struct {
	Lattice string            `json:"lattice,omitempty"` // name or id
	Trigger string            `json:"trigger,omitempty"` // name or id of what has fired them
	Label   map[string]string `json:"label,omitempty"`   // all of them
	Status  []graph.Status    `json:"status"`            // how they ended
}

// End is a dispatch that has reached its end, as far as one needs to know whom it concerns.
type End struct {
	Seq                    int64 // the order in which dispatches have ended
	Number                 int64
	LatticeName, LatticeID string
	Trigger, TriggerID     string
	Status                 graph.Status
	Labels                 map[string]string
}

// EndOf is the end of a dispatch.
func EndOf(d *graph.Dispatch, seq int64) End {
	return End{
		Seq: seq, Number: d.Number, LatticeName: d.LatticeName, LatticeID: d.LatticeID,
		Trigger: d.Trigger, TriggerID: d.TriggerID, Status: d.Status, Labels: d.Labels,
	}
}

// Match tells whether an end is one to follow.
func (f *Follows) Match(e *End) bool {
	if f.Lattice != "" && f.Lattice != e.LatticeName && f.Lattice != e.LatticeID ||
		f.Trigger != "" && f.Trigger != e.Trigger && f.Trigger != e.TriggerID ||
		!slices.Contains(f.Status, e.Status) {
		return false
	}
	for name, value := range f.Label {
		if v, there := e.Labels[name]; !there || v != value {
			return false
		}
	}
	return true
}

// mark is one thing that an end has and that is followed.
type mark struct {
	of          byte // 't' of a trigger, 'l' of a lattice, 'k' of a label
	name, value string
}

// mark is what every end has that f follows, of several the one that fewest have.
func (f *Follows) mark() mark {
	switch {
	case f.Trigger != "":
		return mark{'t', f.Trigger, ""}
	case f.Lattice != "":
		return mark{'l', f.Lattice, ""}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Label)) {
		return mark{'k', name, f.Label[name]}
	}
	return mark{}
}

func (e *End) marks() []mark {
	ms := []mark{{}, {'t', e.Trigger, ""}, {'t', e.TriggerID, ""}, {'l', e.LatticeName, ""}, {'l', e.LatticeID, ""}}
	for name, value := range e.Labels {
		ms = append(ms, mark{'k', name, value})
	}
	return ms
}

// followers are the triggers that follow ends, by what those ends are. The zero value is
// ready.
type followers struct {
	mu  sync.RWMutex
	all map[*keeper]*Follows
	by  map[mark]map[*keeper]*Follows
}

func (f *followers) add(k *keeper, what *Follows) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all, f.by = map[*keeper]*Follows{}, map[mark]map[*keeper]*Follows{}
	}
	f.all[k] = what
	m := what.mark()
	if f.by[m] == nil {
		f.by[m] = map[*keeper]*Follows{}
	}
	f.by[m][k] = what
}

func (f *followers) remove(k *keeper) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what := f.all[k]
	if what == nil {
		return
	}
	delete(f.all, k)
	m := what.mark()
	if delete(f.by[m], k); len(f.by[m]) == 0 {
		delete(f.by, m)
	}
}

// of is what a trigger follows; nil: nothing.
func (f *followers) of(k *keeper) *Follows {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.all[k]
}

func (f *followers) none() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.all) == 0
}

// hint wakes those whom an end concerns.
func (f *followers) hint(e *End) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, m := range e.marks() {
		for k, what := range f.by[m] {
			if what.Match(e) {
				k.hint()
			}
		}
	}
}

func (f *followers) hintAll() {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for k := range f.all {
		k.hint()
	}
}
