package timer

import (
	"slices"
	"time"
)

// schedule knows the instants of a trigger. It is pure.
type schedule interface {
	// next is the first instant after t; zero: there is none.
	next(t time.Time) time.Time
	// count is how many instants there are after from, up to and including to.
	count(from, to time.Time) int64
}

// rate is every so long, counted from an anchor in both directions.
type rate struct {
	anchor time.Time
	every  time.Duration // whole µs
}

// nth is the number of the last instant up to t.
func (r rate) nth(t time.Time) int64 {
	d, every := t.UnixMicro()-r.anchor.UnixMicro(), r.every.Microseconds()
	return floor(d, every) / every
}

func (r rate) next(t time.Time) time.Time {
	return time.UnixMicro(r.anchor.UnixMicro() + (r.nth(t)+1)*r.every.Microseconds())
}

func (r rate) count(from, to time.Time) int64 { return max(0, r.nth(to)-r.nth(from)) }

// list is a few instants in order, each once.
type list []time.Time

// after is the position of the first instant after t.
func (l list) after(t time.Time) int {
	i, there := slices.BinarySearchFunc(l, t, time.Time.Compare)
	if there {
		i++
	}
	return i
}

func (l list) next(t time.Time) time.Time {
	if i := l.after(t); i < len(l) {
		return l[i]
	}
	return time.Time{}
}

func (l list) count(from, to time.Time) int64 { return int64(max(0, l.after(to)-l.after(from))) }

// cron is a calendar on the wall of a zone.
type cron struct {
	calendar
	zone *time.Location
	dst  dst // with gapElapsed and foldBoth where the hour is no fixed one
}

// horizon is how far ahead the next instant may be: 29 February comes after eight
// years at the latest, and a change of the clocks may leave out a few in a row.
const horizon = 40 * 366 * day

func (c *cron) next(t time.Time) time.Time {
	from := t.Unix() + 1
	for end := from + horizon; from < end; {
		s := stretchAt(c.zone, c.dst, from)
		s.hi = min(s.hi, end+day)
		if at, ok := s.first(&c.calendar, from); ok {
			return time.Unix(at, 0)
		}
		from = s.to
	}
	return time.Time{}
}

func (c *cron) count(from, to time.Time) int64 {
	var n int64
	for at, end := from.Unix()+1, to.Unix()+1; at < end; {
		s := stretchAt(c.zone, c.dst, at)
		n += s.count(&c.calendar, at, end)
		at = s.to
	}
	return n
}

// tail lists the last instants after from, up to and including to; n at most.
func tail(s schedule, from, to time.Time, n int64) []time.Time {
	if n <= 0 {
		return nil
	}
	if s.count(from, to) > n {
		// The latest whole second after which there are still as many.
		for far, near := from.Unix(), to.Unix(); ; {
			middle := far + (near-far)/2
			if middle == far {
				from = later(from, time.Unix(far, 0))
				break
			}
			if s.count(time.Unix(middle, 0), to) >= n {
				far = middle
			} else {
				near = middle
			}
		}
	}
	var found []time.Time
	for at := s.next(from); !at.IsZero() && !at.After(to); at = s.next(at) {
		found = append(found, at)
	}
	return found[max(0, len(found)-int(n)):]
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// closest is the shortest time between two instants that follow each other, among the
// next few; zero: there are no two.
func closest(s schedule, from time.Time) time.Duration {
	const few = 1000
	var gap time.Duration
	last := s.next(from)
	for range few {
		at := s.next(last)
		if at.IsZero() {
			break
		}
		if d := at.Sub(last); gap == 0 || d < gap {
			gap = d
		}
		last = at
	}
	return gap
}
