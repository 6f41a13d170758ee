package database

import "time"

// frontier is how far a table was read, and how far behind that it is looked back.
//
//	───────────┬─────────┬─────────┬─────────► order
//	 done with │ segment │ segment │ not read yet
//	         floor      end   end = high
//
// A row may become visible after rows that come after it in the order: its transaction
// took longer, or its order ties with theirs. So what lies above the floor is read again
// each time, and what was seen there is known by its marks. The floor is what was high a
// look-back ago: a row is reported if it appears within a look-back of when a row that
// overtook it was first seen. No clock but ours counts, and the order may be of any type.
//
// Where the order is one integer that no two rows share, floor and high meet as soon as
// every number between them was seen: then nothing can come in between.
//
// A frontier is pure data, the cursor of a trigger.
type frontier struct {
	// Floor is where the look back ends; nil: at the beginning of the table.
	Floor *position `json:"floor,omitempty"`
	// Strict says that the floor is a row: what ties with it is below it if its key is.
	// Else what ties with it is above it, and what was seen of that is in Ties.
	Strict   bool      `json:"strict,omitempty"`
	Ties     marks     `json:"ties,omitempty"`
	Segments []segment `json:"segments,omitempty"`
}

// segment is a part of what is looked back at, by when it was read.
type segment struct {
	Since int64    `json:"since"` // µs, when its first row was seen
	At    int64    `json:"at"`    // µs, when its end was
	End   position `json:"end"`
	Seen  marks    `json:"seen,omitempty"` // its rows, in order
	Tail  int      `json:"tail,omitempty"` // how many of the last ones tie with End
	// Late are rows at or below End that came late, with the marks of their orders.
	Late      marks `json:"late,omitempty"`
	LateOrder marks `json:"late_order,omitempty"`
}

// Limits of what is looked back at.
const (
	mostSeen     = 10_000
	mostSegments = 8 // parts of a look-back
)

// reach is how far is looked back.
type reach struct {
	lookBack time.Duration
	most     int  // rows, and as many that tie with the floor: beyond that the floor rises early
	unique   bool // no two rows tie
}

// high is the last position read; nil: none.
func (f *frontier) high() *position {
	if n := len(f.Segments); n > 0 {
		return &f.Segments[n-1].End
	}
	return f.Floor
}

// overlaps tells whether a row may still appear at or below high.
func (f *frontier) overlaps() bool {
	return len(f.Segments) > 0 || f.Floor != nil && f.Floor.Key != nil && !f.Strict
}

// known is what was seen above the floor.
func (f *frontier) known() map[mark]bool {
	known := make(map[mark]bool, len(f.Ties)+f.seen())
	add := func(ms marks) {
		for _, m := range ms {
			known[m] = true
		}
	}
	add(f.Ties)
	for i := range f.Segments {
		add(f.Segments[i].Seen)
		add(f.Segments[i].Late)
	}
	return known
}

// seen counts the rows of the segments.
func (f *frontier) seen() int {
	n := 0
	for i := range f.Segments {
		n += len(f.Segments[i].Seen) + len(f.Segments[i].Late)
	}
	return n
}

// settle raises the floor to what was high a look-back ago, and tells whether it has. It
// is for after a look: however long ago the last one was, what has appeared within a
// look-back is found.
func (f *frontier) settle(now time.Time, r reach) (raised bool) {
	for len(f.Segments) > 0 && f.Segments[0].At <= now.Add(-r.lookBack).UnixMicro() {
		f.raise(r)
		raised = true
	}
	return raised
}

// raise makes the end of the first segment the floor.
func (f *frontier) raise(r reach) {
	s, old, strict := f.Segments[0], f.Floor, f.Strict
	f.Segments = f.Segments[1:]
	end := s.End
	order := orderOf(end)
	sameOrder := s.Tail == len(s.Seen) && old != nil && orderOf(*old) == order
	ties := f.Ties
	f.Floor, f.Ties, f.Strict = &end, nil, true
	if r.unique || sameOrder && strict { // what ties with it and is below it was not remembered
		return
	}
	if !sameOrder {
		ties = nil
	}
	ties = append(ties[:len(ties):len(ties)], s.Seen[len(s.Seen)-s.Tail:]...)
	for i, m := range s.Late {
		if s.LateOrder[i] == order {
			ties = append(ties, m)
		}
	}
	if len(ties) <= r.most {
		f.Ties, f.Strict = ties, false
	}
}

// overtaken takes in rows at or below high, which came late.
func (f *frontier) overtaken(late []placed, now time.Time, r reach) {
	if len(late) == 0 {
		return
	}
	if len(f.Segments) == 0 { // they tie with the floor
		us := now.UnixMicro()
		f.Segments = []segment{{Since: us, At: us, End: *f.Floor}}
	}
	last := &f.Segments[len(f.Segments)-1]
	for _, p := range late {
		last.Late, last.LateOrder = append(last.Late, p.mark), append(last.LateOrder, p.order)
	}
	f.meet(r)
	f.bound(r)
}

// advance takes in rows above high, in their order.
func (f *frontier) advance(rows []placed, now time.Time, r reach) {
	if rows = f.stride(rows, r); len(rows) == 0 {
		return
	}
	var end mark
	if high := f.high(); high != nil {
		end = orderOf(*high)
	}
	s := f.open(now, r)
	for _, p := range rows {
		if p.order != end {
			end, s.Tail = p.order, 0
		}
		s.Seen = append(s.Seen, p.mark)
		s.Tail++
	}
	s.At, s.End = now.UnixMicro(), rows[len(rows)-1].position
	f.meet(r)
	f.bound(r)
}

// bound keeps what is remembered within its limits.
func (f *frontier) bound(r reach) {
	for f.seen() > r.most {
		f.raise(r)
	}
}

// open is the segment that rows go to: the last one while it is young and small.
func (f *frontier) open(now time.Time, r reach) *segment {
	if n := len(f.Segments); n > 0 {
		last := &f.Segments[n-1]
		if last.Since > now.Add(-r.lookBack/mostSegments).UnixMicro() && len(last.Seen) < max(1, r.most/mostSegments) {
			return last
		}
	}
	f.Segments = append(f.Segments, segment{Since: now.UnixMicro()})
	return &f.Segments[len(f.Segments)-1]
}

// stride moves the floor over numbers that follow it without a gap, and returns the
// rows that remain.
func (f *frontier) stride(rows []placed, r reach) []placed {
	if !r.unique || f.Floor == nil || len(f.Segments) > 0 {
		return rows
	}
	n, ok := f.Floor.number()
	if !ok {
		return rows
	}
	if f.Floor.Key == nil {
		n-- // the row with that number is above it
	}
	for len(rows) > 0 {
		next, ok := rows[0].number()
		if !ok || next-1 != n {
			break
		}
		at := rows[0].position
		f.Floor, f.Strict, n, rows = &at, true, next, rows[1:]
	}
	return rows
}

// meet raises the floor to high when every number between them was seen.
func (f *frontier) meet(r reach) {
	if !r.unique || f.Floor == nil {
		return
	}
	low, ok := f.Floor.number()
	high, also := f.high().number()
	if f.Floor.Key == nil {
		low--
	}
	if ok && also && high > low && uint64(high)-uint64(low) == uint64(f.seen()) && f.all(low, high) {
		for len(f.Segments) > 0 {
			f.raise(r)
		}
	}
}

// all tells whether every number above low up to high was seen. To count is not enough:
// what came late may lie below the floor by now.
func (f *frontier) all(low, high int64) bool {
	known := f.known()
	for n := low; n < high; {
		n++
		if one := []atom{{n}}; !known[marked(position{Order: one, Key: one}).mark] {
			return false
		}
	}
	return true
}
