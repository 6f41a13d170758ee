package directory

import "time"

// kinds is a set of event kinds, in the order in which they are reported.
type kinds uint8

const (
	moved kinds = 1 << iota
	created
	modified
	closed
	ready
	deleted
)

// kindNames are the words for event_names, in order.
var kindNames = [...]string{"moved", "created", "modified", "closed", "ready", "deleted"}

func (k kinds) has(one kinds) bool { return k&one != 0 }

// names lists the words of a set.
func (k kinds) names() []string {
	var names []string
	for i, name := range kindNames {
		if k.has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

func kindsOf(names []string) kinds {
	var k kinds
	for i, name := range kindNames {
		for _, n := range names {
			if n == name {
				k |= 1 << i
			}
		}
	}
	return k
}

// pace is how long changes of a file are collected that nobody closes: a log grows many
// times a second.
const pace = time.Second

// rules are what judge needs to know of the trigger.
type rules struct {
	want    kinds
	minSize int64
	settle  time.Duration
	network bool // inodes are not stable, ctime may be another machine's clock
	once    bool // closed and ready come once for a path, however often it changes
}

// news tells whether b is another content than a, as far as a stat can tell.
func (r rules) news(a, b stamp) bool {
	if a.size != b.size || a.mtime != b.mtime {
		return true
	}
	return !r.network && a.ino != b.ino
}

// entry is what is known of a file: the last version seen, which kinds of it are
// still owed, and since when it has been quiet (ns by our clock).
type entry struct {
	stamp
	owed  kinds
	since int64
	done  bool // it was reported as closed or ready

	// Not stored:
	paced int64 // when it was seen first, or seen first to owe modified (ns)
	young bool  // it was seen first not long ago and is being written: that is no modification
}

// verdict is what to do about a file.
type verdict struct {
	entry
	report kinds // events to emit now
	store  bool  // the inventory has to learn of the entry
}

// judge compares what is known of a file (old is nil when nothing) with what lstat
// says now. wasClosed: its writer has just closed it, or it was moved into place. It is
// pure; times are ns since the epoch.
//
// created is reported at the first sight of a path, modified when the writer of another
// content closes, or after pace, closed when the writer closes or, if nobody saw that,
// when the file is quiet, ready when it is quiet. Quiet means unchanged for `settle`
// since the first sight of the version; on a local file system an older ctime counts,
// because our clock wrote it.
func (r rules) judge(old *entry, st stamp, wasClosed bool, now int64) verdict {
	v := verdict{entry: entry{stamp: st}}
	switch {
	case old == nil:
		v.owed = r.want & (closed | ready)
		v.since, v.paced, v.young = r.firstSight(st, now), now, true
		v.report = r.want & created
	case r.news(old.stamp, st):
		v.since, v.done = r.firstSight(st, now), old.done
		v.owed = r.changed(*old)
		v.paced = min(old.paced, now)
		v.young = old.young && now-v.paced < int64(pace)
		switch {
		case v.young:
			v.owed &^= modified
		case !old.owed.has(modified):
			v.paced = now
		}
	case old.owed == 0:
		v.entry = *old
		v.young = old.young && !wasClosed
		return v
	default:
		v.owed, v.since = old.owed, min(old.since, now) // later: the clock was set back
		v.paced, v.done, v.young = min(old.paced, now), old.done, old.young
		if st.ctime != old.ctime { // touched without news: it is not quiet
			v.since = max(v.since, r.firstSight(st, now))
		}
	}
	big := st.size >= r.minSize
	v.young = v.young && !wasClosed
	if wasClosed || now-v.paced >= int64(pace) {
		v.pay(modified)
	}
	if wasClosed && big {
		v.pay(closed)
	}
	if v.owed != 0 && now-v.since >= int64(r.settle) {
		if big {
			v.pay(closed | ready)
		}
		v.pay(modified)
		v.owed = 0 // too small: the next version may do
	}
	v.done = v.done || v.report.has(closed|ready)
	v.store = v.report != 0 || v.owed == 0
	return v
}

// pay reports those of the kinds that are owed.
func (v *verdict) pay(k kinds) {
	v.report |= v.owed & k
	v.owed &^= k
}

// changed is what is owed for another content of a file that was known.
func (r rules) changed(old entry) kinds {
	if r.once && old.done {
		return r.want & modified
	}
	return r.want & (modified | closed | ready)
}

// due is when an entry that owes something has to be looked at again.
func (r rules) due(e entry) int64 {
	quiet := e.since + int64(r.settle)
	if e.owed.has(modified) {
		return min(quiet, e.paced+int64(pace))
	}
	return quiet
}

func (r rules) firstSight(st stamp, now int64) int64 {
	if !r.network && st.ctime < now {
		return st.ctime
	}
	return now
}
