package directory

import (
	"path"
	"slices"
	"strings"
)

// member is a file of a unit. Times are ns since the epoch.
type member struct {
	size, mtime, since int64
	bits               uint64 // the globs that it matches
	counted            bool   // it is among what the unit consists of
	quiet              bool   // the unit waits for it to be quiet
}

// unit is what becomes one event, with what is known of it.
type unit struct {
	id    string // the folder or file relative to the root, or the key of the set
	files map[string]member
	found []int32 // files for each glob

	count   int64 // counted files
	bytes   int64 // of them
	content sum   // of them
	marking sum   // of the files that only mark
	latest  int64 // time of modification of counted files
	since   int64 // the last change of those that have to be quiet
	worn    bool  // latest and since have to be found anew

	here    bool // the folder is there
	guessed bool // that is not known yet, only that it was when it was stored
	past    past
	old     bool  // what was seen last was there before the trigger
	told    bool  // past is stored as it is
	stored  bool  // some past is stored
	known   bool  // it was seen before: it is not created now
	sure    bool  // it was looked at again since it became ready
	again   int64 // it is not looked at again before (ns)
	due     int64 // when it is judged again; 0: never
	at      int   // in the queue, where due is set

	legacy *legacy // of the unit that its files were moved from, until it is judged
	left   bool    // its past went on under another name

	beside *unit            // of a single file: the markers in its folder
	around map[string]*unit // of those markers: the files
	stamp  stamp            // of a single file
	listed manifestRead
}

// past is what happened to a unit, as it is stored.
type past struct {
	state   unitState
	first   int64  // ns; the first sight
	content sum    // when its state was taken
	marking sum    // the same
	key     string // of its last event about being ready
}

// unitState says what became of a unit.
//
//	new ─► reported                complete and quiet
//	new ─► held ─► reported        its deadline passed, then it was complete (on_deadline: hold)
//	new ─► late                    its deadline passed (on_deadline: fire)
//	known ─► new                   it was there before the trigger, not complete, and changes
//	existing, late, reported ─► reported    it has changed and is complete again (refire: version)
type unitState uint8

const (
	unitNew      unitState = iota // it has no event yet
	unitKnown                     // it was there before the trigger, not complete
	unitExisting                  // it was there before the trigger, complete
	unitHeld                      // its event is held since the deadline
	unitLate                      // its deadline has fired
	unitReported                  // it has its event
)

var unitWords = [...]string{"new", "known", "existing", "held", "late", "reported"}

// put adds a file to the unit, or replaces it. It tells whether that is news.
func (u *unit) put(rel string, m member) bool {
	old, known := u.files[rel]
	if known && old == m {
		return false
	}
	fresh := known && !u.worn && m.counted == old.counted && m.quiet == old.quiet && m.mtime >= old.mtime && m.since >= old.since
	news := !known || old.size != m.size || old.mtime != m.mtime || old.counted != m.counted
	if known {
		u.take(rel, old)
	}
	if u.files == nil {
		u.files = map[string]member{}
	}
	u.files[rel] = m
	s := sumOf(rel, m.size, m.mtime)
	switch {
	case m.counted:
		u.count++
		u.bytes += m.size
		u.content = u.content.plus(s)
		u.latest = max(u.latest, m.mtime)
	case m.bits != 0:
		u.marking = u.marking.plus(s)
	}
	if m.quiet {
		u.since = max(u.since, m.since)
	}
	if fresh {
		u.worn = false // it only grew: a log in a large folder must not cost a look at all of it each time
	}
	for i := range u.found {
		if m.bits&(1<<i) != 0 {
			u.found[i]++
		}
	}
	return news
}

// take takes a file out of the sums.
func (u *unit) take(rel string, m member) {
	s := sumOf(rel, m.size, m.mtime)
	switch {
	case m.counted:
		u.count--
		u.bytes -= m.size
		u.content = u.content.minus(s)
	case m.bits != 0:
		u.marking = u.marking.minus(s)
	}
	u.worn = u.worn || m.counted && m.mtime == u.latest || m.quiet && m.since == u.since
	for i := range u.found {
		if m.bits&(1<<i) != 0 {
			u.found[i]--
		}
	}
}

// drop forgets a file. Files that go away are no reason for another event, so what was
// reported is from now on what is left of it.
func (u *unit) drop(rel string) {
	m, known := u.files[rel]
	if !known {
		return
	}
	sameContent, sameMarking := u.past.content == u.content, u.past.marking == u.marking
	u.take(rel, m)
	delete(u.files, rel)
	if u.past.state == unitNew {
		return
	}
	if sameContent && u.past.content != u.content {
		u.past.content, u.told = u.content, false
	}
	if sameMarking && u.past.marking != u.marking {
		u.past.marking, u.told = u.marking, false
	}
}

// dropMarker forgets a marker beside single files; that it goes is no news of them.
func (u *unit) dropMarker(rel string) {
	before := u.marking
	u.drop(rel)
	for _, file := range u.around {
		if file.past.marking == before && file.past.state != unitNew {
			file.past.marking, file.told = u.marking, false
		}
	}
}

// markers is where the markers of the unit are.
func (u *unit) markers() *unit {
	if u.beside != nil {
		return u.beside
	}
	return u
}

// freshen finds anew what can't be kept up when files change or go.
func (u *unit) freshen() {
	if !u.worn {
		return
	}
	u.latest, u.since, u.worn = 0, 0, false
	for _, m := range u.files {
		if m.counted {
			u.latest = max(u.latest, m.mtime)
		}
		if m.quiet {
			u.since = max(u.since, m.since)
		}
	}
}

// changed tells whether there is news since its state was taken.
func (u *unit) changed() bool {
	if u.past.state == unitKnown && u.markers().marking != u.past.marking {
		return true
	}
	return u.content != u.past.content
}

// empty tells whether nothing is left of it.
func (u *unit) empty() bool { return !u.here && len(u.files) == 0 }

// members lists the counted files: those that are needed in the order of need, then
// the others, each by name.
func (u *unit) members(m *marks) []string {
	list := make([]string, 0, u.count)
	for rel, f := range u.files {
		if f.counted {
			list = append(list, rel)
		}
	}
	rank := func(rel string) int {
		for i := m.need; i < m.manifest; i++ {
			if u.files[rel].bits&(1<<i) != 0 {
				return i
			}
		}
		return m.manifest
	}
	slices.SortFunc(list, func(a, b string) int {
		if ra, rb := rank(a), rank(b); ra != rb {
			return ra - rb
		}
		if c := strings.Compare(path.Base(a), path.Base(b)); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return list
}
