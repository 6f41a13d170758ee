package directory

import (
	"maps"
	"path"
	"slices"

	"github.com/latticed/latticed/triggers"
)

// doubts names what has to be looked at again before take reports it: folders of units
// with all below them, and files of sets. What is told of one file at a time may be
// incomplete; what is told of a unit has been seen as a whole. From the first call on
// take reports nothing that was not named here.
func (a *units) doubts(now int64) []doubt {
	a.careful = true
	var list []doubt
	for _, u := range a.dueNow(now) {
		a.appoint(u, soon)
		if u.old || u.empty() || u.again > now || a.judge(u, now).state != isReady {
			continue
		}
		u.sure = true
		d := doubt{unit: u.id}
		if a.form == aFolder {
			d.names = []string{u.id}
		} else {
			d.names = slices.Sorted(maps.Keys(u.files))
		}
		list = append(list, d)
	}
	return list
}

// rest keeps a unit from being looked at again before an instant (ns). What was seen of
// it does not count if it is not sure.
func (a *units) rest(unit string, sure bool, until int64) {
	if u := a.all[unit]; u != nil {
		u.sure, u.again = u.sure && sure, until
	}
}

// take says what is new about units. It is asked once everything that is there was
// seen; now is ns since the epoch.
func (a *units) take(now int64) []report {
	list := a.dueNow(now)
	begun := make([]report, len(list))
	for i, u := range list { // before what they come from is forgotten
		a.inherit(u, &begun[i])
	}
	var reports []report
	for i, u := range list {
		r := begun[i]
		a.settleUnit(u, now, &r)
		u.sure = false
		if len(r.events)+len(r.entities) > 0 {
			reports = append(reports, r)
		}
	}
	return reports
}

// settleUnit takes a unit to the state that it should have, and says what that means.
func (a *units) settleUnit(u *unit, now int64, r *report) {
	if u.empty() {
		a.end(u, r)
		return
	}
	if u.vacant() {
		return // until the last of its files counts as gone
	}
	if u.old {
		a.existed(u, now)
	}
	if u.past.state == unitKnown && u.changed() {
		u.enter(unitNew)
		u.past.first = 0
	}
	if u.past.first == 0 && (a.form == aFolder || u.count > 0) {
		u.past.first, u.told = now, false
		if u.past.state == unitNew && !u.known {
			r.add(a.event(u, a.wants.created, "created", false))
		}
	}
	s := a.judge(u, now)
	due := s.until
	switch deadline := a.deadlineOf(u); {
	case s.state == isReady && a.careful && !u.sure:
		due = max(soon, u.again) // it became ready after it was looked at
	case s.state == isReady:
		a.report(u, r)
	case deadline != 0 && deadline <= now:
		a.expire(u, r)
	case deadline != 0 && (due == 0 || deadline < due):
		due = deadline
	}
	a.appoint(u, due)
	a.store(u, r)
}

// enter takes the state of a unit, as of what is there now.
func (u *unit) enter(s unitState) {
	u.past.state, u.past.content, u.past.marking, u.told = s, u.content, u.markers().marking, false
}

// existed notes a unit that was there before the trigger. One that is complete counts
// as reported; one that is not has its event once it has changed and is complete.
func (a *units) existed(u *unit, now int64) {
	u.old, u.known = false, true
	u.past.state, u.past.key = unitNew, ""
	if a.judge(u, now).state == isReady {
		u.enter(unitExisting)
	} else {
		u.enter(unitKnown)
	}
	if u.past.first == 0 {
		u.past.first = now
	}
}

// report adds the event of a unit that is ready.
func (a *units) report(u *unit, r *report) {
	e := a.event(u, a.wants.ready, "ready", true)
	if u.past.state == unitHeld && len(e) == 1 && u.past.key != "" {
		e[0].Key, e[0].Amends = u.past.key, true
	}
	r.add(e)
	u.enter(unitReported)
	u.past.key = keyIn(e)
}

// keyIn is the key of the one event, if there is one.
func keyIn(events []triggers.Event) string {
	if len(events) == 0 {
		return ""
	}
	return events[0].Key
}

// expire adds the event of a unit whose deadline has passed.
func (a *units) expire(u *unit, r *report) {
	e := a.event(u, a.wants.ready, "ready", false)
	r.add(e)
	u.past.key = keyIn(e)
	if a.fire {
		u.enter(unitLate)
	} else {
		u.enter(unitHeld)
	}
}

// end forgets a unit of which nothing is left.
func (a *units) end(u *unit, r *report) {
	if u.past.first != 0 && !a.baseline() {
		r.add(a.event(u, a.wants.deleted, "deleted", false))
	}
	if u.stored {
		r.entities = append(r.entities, triggers.Change{Key: u.entityKey(), Deleted: true})
	}
	a.forget(u)
}

func (r *report) add(events []triggers.Event) { r.events = append(r.events, events...) }

// path is where the unit is, relative to the root: for a set, its first file.
func (a *units) path(u *unit) string {
	if a.form != aSet {
		return u.id
	}
	if list := u.members(&a.marks); len(list) > 0 {
		return list[0]
	}
	return path.Base(u.id)
}
