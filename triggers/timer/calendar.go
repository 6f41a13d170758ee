package timer

import (
	"math/bits"
	"time"
)

const day = 24 * 60 * 60 // seconds

// calendar says which readings of a wall clock match: bits for each value of a field.
// Readings are counted in seconds as if the clock showed UTC.
type calendar struct {
	second, minute, hour, month, weekday uint64
	monthday                             uint64
	either                               bool // the day of the month or the weekday is enough
}

// days are the days of a month that match, as bits 1 to 31.
func (c *calendar) days(year int, month time.Month) uint64 {
	if c.month&(1<<uint(month)) == 0 {
		return 0
	}
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	n := first.AddDate(0, 1, -1).Day()
	all := uint64(1)<<(n+1) - 2
	var week uint64 // of the weekdays, which day 1 to 7 matches, and so on
	for d := range 7 {
		if c.weekday&(1<<((uint(first.Weekday())+uint(d))%7)) != 0 {
			week |= 1 << (d + 1)
		}
	}
	weekdays := week | week<<7 | week<<14 | week<<21 | week<<28
	if c.either {
		return (c.monthday | weekdays) & all
	}
	return c.monthday & weekdays & all
}

// first is the first reading that matches in [from, to); false when there is none.
func (c *calendar) first(from, to int64) (int64, bool) {
	if from >= to {
		return 0, false
	}
	today := floor(from, day)
	date := time.Unix(today, 0).UTC()
	y, m, d := date.Date()
	left := from - today // seconds of today that are over
	for {
		for at := c.days(y, m) >> uint(d); at != 0; {
			d += bits.TrailingZeros64(at)
			midnight := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()
			if midnight != today {
				left = 0
			}
			if s, ok := c.inDay(left); ok {
				return midnight + s, midnight+s < to
			}
			if d++; d > 31 {
				break
			}
			at = c.days(y, m) >> uint(d)
		}
		if m++; m > time.December {
			y, m = y+1, time.January
		}
		if d = 1; time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Unix() >= to {
			return 0, false
		}
	}
}

// inDay is the first second of a day that matches, from one of them on.
func (c *calendar) inDay(from int64) (int64, bool) {
	h, m, s := from/3600, from/60%60, from%60
	if c.hour&(1<<uint(h)) != 0 {
		if c.minute&(1<<uint(m)) != 0 {
			if s, ok := bit(c.second, s); ok {
				return h*3600 + m*60 + s, true
			}
		}
		if m, ok := bit(c.minute, m+1); ok {
			s, ok := bit(c.second, 0)
			return h*3600 + m*60 + s, ok
		}
	}
	h, okH := bit(c.hour, h+1)
	m, okM := bit(c.minute, 0)
	s, okS := bit(c.second, 0)
	return h*3600 + m*60 + s, okH && okM && okS
}

// bit is the lowest bit set that is not below from.
func bit(set uint64, from int64) (int64, bool) {
	left := set >> uint(from)
	return from + int64(bits.TrailingZeros64(left)), left != 0
}

// count is how many readings match in [from, to).
func (c *calendar) count(from, to int64) int64 {
	if from >= to {
		return 0
	}
	a, b := floor(from, day), floor(to, day)
	var n int64
	if c.matches(a) {
		n -= c.before(from - a)
	}
	if c.matches(b) {
		n += c.before(to - b)
	}
	return n + c.whole(a, b)*c.before(day)
}

// whole is how many days match, of those that begin in [from, to), two midnights.
func (c *calendar) whole(from, to int64) int64 {
	var n int
	for from < to {
		y, m, d := time.Unix(from, 0).UTC().Date()
		next := time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC).Unix()
		days := c.days(y, m) >> uint(d)
		if next > to {
			days &= 1<<uint((to-from)/day) - 1
			next = to
		}
		n += bits.OnesCount64(days)
		from = next
	}
	return int64(n)
}

func (c *calendar) matches(midnight int64) bool {
	y, m, d := time.Unix(midnight, 0).UTC().Date()
	return c.days(y, m)&(1<<uint(d)) != 0
}

// before is how many of the first seconds of a day match.
func (c *calendar) before(s int64) int64 {
	lower := func(set uint64, below int64) int64 { return int64(bits.OnesCount64(set & (1<<uint(below) - 1))) }
	h, m := s/3600, s/60%60
	n := lower(c.hour, h) * lower(c.minute, 60) * lower(c.second, 60)
	if c.hour&(1<<uint(h)) == 0 {
		return n
	}
	n += lower(c.minute, m) * lower(c.second, 60)
	if c.minute&(1<<uint(m)) == 0 {
		return n
	}
	return n + lower(c.second, s%60)
}

// floor rounds down to a multiple, below zero too.
func floor(n, unit int64) int64 {
	r := n % unit
	if r < 0 {
		r += unit
	}
	return n - r
}
