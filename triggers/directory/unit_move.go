package directory

// legacy is what a unit may take over from another one whose files have moved to it.
type legacy struct {
	of               *unit
	files            int // that have moved
	content, marking sum // of those, under their new names
	ahead, marked    sum // what had changed in the other one since its state was taken
}

// moved is told that a file is known under another name, before gone and saw are.
func (a *units) moved(from, to string) {
	src, _, _ := a.unitOf(from)
	dst, within, ok := a.unitOf(to)
	u := a.all[src]
	if a.form != aFolder || !ok || src == dst || u == nil || u.past.first == 0 {
		return
	}
	m, member := u.files[from]
	if !member {
		return
	}
	v := a.unit(dst)
	if v.left {
		v.renew() // it comes back
	}
	l := v.legacy
	switch {
	case v.past.first != 0: // it has a past of its own
	case l == nil:
		l = &legacy{of: u, ahead: u.content.minus(u.past.content), marked: u.marking.minus(u.past.marking)}
		v.legacy = l
	case l.of != u:
		l = nil
	}
	u.drop(from)
	a.appoint(u, soon)
	a.appoint(v, soon)
	if l == nil {
		return
	}
	l.files++
	s, now := sumOf(to, m.size, m.mtime), a.member(to, within, stamp{size: m.size, mtime: m.mtime}, m.since)
	switch {
	case now.counted:
		l.content = l.content.plus(s)
	case now.bits != 0:
		l.marking = l.marking.plus(s)
	}
}

// inherit lets a unit go on as what it was under another name: its folder is not there
// any more, and most of its files are here. Of the rest some may have been removed just
// before, but one file that came from elsewhere does not make a new run an old one.
func (a *units) inherit(u *unit, r *report) {
	l := u.legacy
	u.legacy = nil
	if l == nil || u.past.first != 0 || l.of.here || l.of.left || l.files <= len(l.of.files) {
		return
	}
	u.past, u.told, u.known = l.of.past, false, true
	u.past.content, u.past.marking = l.content.minus(l.ahead), l.marking.minus(l.marked)
	if u.past.state == unitExisting && u.past.key == "" && !a.again {
		u.past.key = a.onceKey(l.of) // a backfill may have told of it
	}
	l.of.left = true
	r.add(a.event(u, a.wants.created, "created", false))
}

// vacant tells whether the past of a unit went on under another name, and nothing new
// has its name.
func (u *unit) vacant() bool {
	if u.left && u.here {
		u.renew()
	}
	return u.left
}

// renew lets a name whose unit went on under another one have a unit again.
func (u *unit) renew() { u.left, u.known, u.past, u.told = false, false, past{}, false }
