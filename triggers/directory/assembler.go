package directory

import (
	"path"
	"strings"
	"time"
)

// soon is due at once.
const soon = 1

// units puts single files together to units and sets, and says what became of them. It
// implements assembler; it is pure but for ground.read.
type units struct {
	*unitRules
	ground
	marks   marks
	minSize int64
	counts  func(rel string) bool // by name: the file is among what a unit consists of
	partial func(rel string) bool // by name: it is written, and will have another name
	wants   unitKinds
	careful bool // nothing is reported that was not looked at again: see doubts

	all    map[string]*unit // by id
	places map[string]*unit // of single files: the markers in each folder
	queue  unitQueue
	unseen []*unit // those restored whose folders were not seen yet
}

// unitKinds are the kinds of events that are wanted of units.
type unitKinds struct{ created, ready, deleted bool }

var _ assembler = (*units)(nil)

// saw takes over what is known of a file.
func (a *units) saw(rel string, s stamp, since int64) {
	id, within, ok := a.unitOf(rel)
	m := a.member(rel, within, s, since)
	switch {
	case !ok || !m.counted && !m.quiet && m.bits == 0:
		a.gone(rel) // it may have counted when it was larger
		return
	case a.form == eachFile && m.bits != 0:
		a.sawMarker(rel, m)
		return
	case a.form == eachFile && !m.counted:
		a.gone(rel)
		return
	}
	u := a.unit(id)
	u.stamp = s
	a.note(u, u.put(rel, m))
}

// note says that something was seen of a unit.
func (a *units) note(u *unit, news bool) {
	if news && a.baseline() {
		u.old = true // whatever was known before
	}
	a.appoint(u, soon)
}

// sawMarker notes a marker beside single files.
func (a *units) sawMarker(rel string, m member) {
	place := a.place(path.Dir(rel))
	m.counted, m.quiet = false, false
	if place.put(rel, m) {
		a.wakeAround(place)
	}
}

func (a *units) wakeAround(place *unit) {
	for _, u := range place.around {
		a.appoint(u, soon)
	}
}

// member says what a file is to its unit.
func (a *units) member(rel, within string, s stamp, since int64) member {
	m := member{size: s.size, mtime: s.mtime, since: since, bits: a.marks.hits(within)}
	named := a.counts(rel)
	m.counted = named && s.size >= a.minSize
	if !m.counted {
		m.bits &^= a.marks.needed() // what is too small is not there yet
	}
	m.quiet = named || a.partial(rel) || a.marks.lists(m.bits)
	return m
}

// unit returns the unit of this id, a new one if there is none.
func (a *units) unit(id string) *unit {
	u := a.all[id]
	if u != nil {
		return u
	}
	u = &unit{id: id, found: make([]int32, len(a.marks.globs))}
	a.all[id] = u
	if a.form == eachFile {
		u.beside = a.place(path.Dir(id))
		u.beside.around[id] = u
	}
	return u
}

// place returns what is known of the markers in a folder of single files.
func (a *units) place(dir string) *unit {
	p := a.places[dir]
	if p == nil {
		p = &unit{found: make([]int32, len(a.marks.globs)), around: map[string]*unit{}}
		a.places[dir] = p
	}
	return p
}

// gone takes a file away.
func (a *units) gone(rel string) {
	if a.form == eachFile {
		if p := a.places[path.Dir(rel)]; p != nil && p.files[rel].bits != 0 {
			p.dropMarker(rel)
			a.wakeAround(p)
			a.tidy(path.Dir(rel), p)
			return
		}
	}
	id, _, ok := a.unitOf(rel)
	if u := a.all[id]; ok && u != nil {
		if _, member := u.files[rel]; member {
			u.drop(rel)
			a.appoint(u, soon)
		}
	}
}

// folder is told of a folder below dir_path that is there, or not any more. Folders of
// units count from then on, even while they are empty.
func (a *units) folder(rel string, there bool) {
	if a.form != aFolder || strings.Count(rel, "/") != a.depth-1 {
		return
	}
	u := a.all[rel]
	if u == nil && !there || u != nil && u.here == there && !u.guessed {
		return
	}
	u = a.unit(rel)
	u.here, u.guessed = there, false
	a.note(u, there && len(u.files) == 0)
}

// forget lets go of a unit that is no more.
func (a *units) forget(u *unit) {
	delete(a.all, u.id)
	if u.beside != nil {
		delete(u.beside.around, u.id)
		a.tidy(path.Dir(u.id), u.beside)
	}
	a.appoint(u, 0)
}

// tidy lets go of a folder of markers that nobody needs.
func (a *units) tidy(dir string, p *unit) {
	if len(p.files) == 0 && len(p.around) == 0 {
		delete(a.places, dir)
	}
}

// looked is told that everything that is there was seen: folders that were there before
// and were not seen are gone.
func (a *units) looked() {
	for _, u := range a.unseen {
		if a.all[u.id] == u && u.guessed {
			u.here, u.guessed = false, false
			a.appoint(u, soon)
		}
	}
	a.unseen = nil
}

// shift moves deadlines that were measured with the clock as it was before it was set.
// Since when files are quiet is told anew by saw.
func (a *units) shift(step time.Duration) {
	for _, u := range a.all {
		if u.past.first != 0 && u.past.state == unitNew {
			u.past.first, u.told = u.past.first+int64(step), false
		}
		a.appoint(u, soon)
	}
}

// newUnits makes an assembler that knows nothing yet.
func newUnits(r *unitRules, g ground, wants unitKinds) *units {
	return &units{
		unitRules: r, ground: g, marks: r.marks(), wants: wants,
		all: map[string]*unit{}, places: map[string]*unit{},
	}
}
