package timer

import (
	"math"
	"time"
)

// What becomes of readings that a change of the clocks leaves out or repeats.
const (
	gapShift  = "shift" // at the first instant after the gap
	gapSkip   = "skip"  // not at all
	foldFirst = "first" // the first time the clock shows it
	foldLast  = "last"
	foldBoth  = "both"
)

// dst is what somebody chose for them.
type dst struct{ gap, fold string }

// stretch is a time in which a zone keeps its offset, and which readings of the wall
// clock belong to it. All are seconds; [from, to) are instants, the others readings.
type stretch struct {
	from, to int64
	offset   int64
	low, hi  int64 // readings that are instants of this stretch are in [low, hi)

	gapLow, gapHi int64 // readings that were left out right before it; equal: none
	gapOffset     int64 // the offset before it
	gap           string
}

const (
	never  = math.MinInt64 / 4
	always = math.MaxInt64 / 4
	// gapElapsed reads the clock as if it had not been changed.
	gapElapsed = "elapsed"
)

// stretchAt is the stretch of an instant.
func stretchAt(loc *time.Location, rule dst, at int64) stretch {
	t := time.Unix(at, 0).In(loc)
	begin, end := t.ZoneBounds()
	s := stretch{from: never, to: always, offset: offset(t), low: never, hi: always, gap: rule.gap}
	if !begin.IsZero() && begin.Unix() <= at {
		s.from = begin.Unix()
		s.low = s.from + s.offset
		s.gapOffset = offset(begin.Add(-time.Second))
		switch changed := s.from + s.gapOffset; { // the reading at which the clocks were changed
		case changed < s.low && rule.gap != gapSkip:
			s.gapLow, s.gapHi = changed, s.low
		case changed > s.low && rule.fold == foldFirst:
			s.low = changed
		}
	}
	switch {
	case end.IsZero():
	case end.Unix() <= at:
		// On the last day of a leap year that it has no table for, the library says
		// that the stretch is over. It isn't.
		s.to = at + 3600
		s.hi = s.to + s.offset
	default:
		s.to = end.Unix()
		s.hi = s.to + s.offset
		if rule.fold == foldLast {
			s.hi = min(s.hi, s.to+offset(end))
		}
	}
	return s
}

func offset(t time.Time) int64 {
	_, o := t.Zone()
	return int64(o)
}

// first is the first instant of a stretch that a calendar names, not before from.
func (s *stretch) first(c *calendar, from int64) (int64, bool) {
	from = max(from, s.from)
	at, ok := c.first(max(from+s.offset, s.low), s.hi)
	at -= s.offset
	if s.gapLow == s.gapHi {
		return at, ok
	}
	switch s.gap {
	case gapShift:
		if from == s.from {
			if _, missed := c.first(s.gapLow, s.gapHi); missed {
				return s.from, true
			}
		}
	case gapElapsed:
		if w, missed := c.first(max(from+s.gapOffset, s.gapLow), min(s.gapHi, s.to+s.gapOffset)); missed {
			if w -= s.gapOffset; !ok || w < at {
				return w, true
			}
		}
	}
	return at, ok
}

// count is how many instants of a stretch in [from, to) a calendar names.
func (s *stretch) count(c *calendar, from, to int64) int64 {
	from, to = max(from, s.from), min(to, s.to)
	if s.gapLow == s.gapHi {
		return c.count(max(from+s.offset, s.low), min(to+s.offset, s.hi))
	}
	// Near the gap they are counted one by one: some may be named twice.
	var n int64
	near := min(to, s.from+s.gapHi-s.gapLow)
	for at, ok := s.first(c, from); ok && at < near; at, ok = s.first(c, at+1) {
		n++
	}
	return n + c.count(max(max(from, near)+s.offset, s.low), min(to+s.offset, s.hi))
}

// readings are the instants at which a clock shows a reading, as a rule says.
func readings(loc *time.Location, rule dst, reading int64) []int64 {
	const far = 2 * day // no offset is as large, and no change
	var found []int64
	for at := reading - far; at < reading+far; {
		s := stretchAt(loc, rule, at)
		begin := max(s.from, at) // a stretch may be cut into several
		if t := reading - s.offset; t >= begin && t < s.to && reading >= s.low && reading < s.hi {
			found = append(found, t)
		} else if begin == s.from && s.gapLow <= reading && reading < s.gapHi {
			found = append(found, s.from)
		}
		at = s.to
	}
	return found
}
