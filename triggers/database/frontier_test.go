package database

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// memoryTable is a table in memory that is read as a shelf.
type memoryTable struct {
	rows   map[[2]int64]bool // order, key
	unique bool
	few    int // how many rows are picked at once; 0: all
}

func (m *memoryTable) at(r [2]int64) position {
	return position{Order: []atom{{r[0]}}, Key: []atom{{r[1]}}}
}

func pairOf(p position) [2]int64 {
	r := [2]int64{p.Order[0].v.(int64), -1 << 62}
	if p.Key != nil {
		r[1] = p.Key[0].v.(int64)
	}
	return r
}

func comparePairs(a, b [2]int64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }

func (m *memoryTable) sorted() [][2]int64 {
	var all [][2]int64
	for r := range m.rows {
		all = append(all, r)
	}
	slices.SortFunc(all, comparePairs)
	return all
}

func above(r [2]int64, f floor) bool {
	switch {
	case f.at == nil:
		return true
	case f.strict:
		return comparePairs(r, pairOf(*f.at)) > 0
	}
	return r[0] >= pairOf(*f.at)[0]
}

func (m *memoryTable) between(_ context.Context, f floor, high position, n int) ([]position, error) {
	var there []position
	for _, r := range m.sorted() {
		if above(r, f) && comparePairs(r, pairOf(high)) <= 0 && len(there) < n {
			there = append(there, m.at(r))
		}
	}
	return there, nil
}

func (m *memoryTable) after(_ context.Context, f floor, n int) ([]row, error) {
	var there []row
	for _, r := range m.sorted() {
		if above(r, f) && len(there) < n {
			there = append(there, row{at: m.at(r)})
		}
	}
	return there, nil
}

func (m *memoryTable) pick(_ context.Context, at []position) ([]row, error) {
	var there []row
	for _, p := range at {
		if m.few > 0 && len(there) == m.few {
			break // they are large
		}
		if m.rows[pairOf(p)] {
			there = append(there, row{at: p})
		}
	}
	return there, nil
}

func (m *memoryTable) last(_ context.Context, n int) ([]position, error) {
	var there []position
	for _, r := range slices.Backward(m.sorted()) {
		if len(there) < n {
			there = append(there, m.at(r))
		}
	}
	return there, nil
}

// stored is a frontier as a restart finds it.
func stored(t interface{ Fatal(...any) }, f frontier) frontier {
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var again frontier
	if err := json.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	return again
}

// The reference remembers every row for ever and when each was overtaken.
type reference struct {
	reported  map[[2]int64]bool
	there     map[[2]int64]bool      // at the beginning
	seen      map[[2]int64]time.Time // when first
	lookBack  time.Duration
	forgiving bool // the limits of a look-back were reached
	tooLate   map[[2]int64]bool
}

func newReference(r reach) *reference {
	return &reference{
		reported: map[[2]int64]bool{}, there: map[[2]int64]bool{}, seen: map[[2]int64]time.Time{},
		lookBack: r.lookBack, tooLate: map[[2]int64]bool{},
	}
}

// appears notes whether a row that is written now has to be reported, however late the
// next poll is.
func (m *reference) appears(r [2]int64, now time.Time) {
	delete(m.tooLate, r)
	for other, at := range m.seen {
		if comparePairs(other, r) > 0 && now.Sub(at) >= m.lookBack {
			m.tooLate[r] = true
		}
	}
}

// owes tells whether a row that is there has to be reported.
func (m *reference) owes(r [2]int64) bool { return !m.reported[r] && !m.there[r] && !m.tooLate[r] }

func TestFrontier_reports_each_row_once_that_appears_within_a_look_back(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unique := rapid.Bool().Draw(t, "unique")
		r := reach{lookBack: 10 * time.Second, most: 10_000, unique: unique}
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		table := &memoryTable{rows: map[[2]int64]bool{}, unique: unique, few: rapid.IntRange(0, 3).Draw(t, "few")}
		now := time.Unix(1_800_000_000, 0)
		draw := func() [2]int64 {
			order := rapid.Int64Range(0, 30).Draw(t, "order")
			if unique {
				return [2]int64{order, order}
			}
			return [2]int64{order / 4, rapid.Int64Range(0, 30).Draw(t, "key")}
		}
		for range rapid.IntRange(0, 10).Draw(t, "before") {
			table.rows[draw()] = true
		}
		ref := newReference(r)
		f, err := begin(t.Context(), table, now, r)
		if err != nil {
			t.Fatal(err)
		}
		for row := range table.rows {
			ref.there[row], ref.seen[row] = true, now
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				row := draw()
				if _, was := ref.seen[row]; !was && !table.rows[row] { // the same row again is the same event
					table.rows[row] = true
					ref.appears(row, now)
				}
			case 2:
				delete(table.rows, draw())
			case 3: // longer than a look back, when two follow each other
				now = now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
			case 4:
				f = ref.poll(t, stored(t, f), table, now, limit, r)
			}
		}
		now = now.Add(time.Second)
		ref.poll(t, f, table, now, limit, r)
	})
}

// poll reads until there is no more, and compares what it finds.
func (m *reference) poll(t *rapid.T, f frontier, table *memoryTable, now time.Time, limit int, r reach) frontier {
	owed := map[[2]int64]bool{}
	for row := range table.rows {
		if m.owes(row) {
			owed[row] = true
		}
	}
	for more := true; more; {
		p, err := f.look(t.Context(), table, now, limit, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range [][]row{p.late, p.fresh} {
			if !slices.IsSortedFunc(part, func(a, b row) int { return comparePairs(pairOf(a.at), pairOf(b.at)) }) {
				t.Fatalf("not in order: %v", part)
			}
			for _, found := range part {
				row := pairOf(found.at)
				if m.reported[row] || m.there[row] {
					t.Fatalf("%v is reported although it is known", row)
				}
				m.reported[row], m.seen[row] = true, now
				delete(owed, row)
			}
		}
		more = p.more
	}
	if len(owed) > 0 && !m.forgiving {
		t.Fatalf("not reported: %v\n%+v", owed, f)
	}
	return f
}

func TestFrontier_stays_within_its_limits_and_doubles_nothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reach{lookBack: time.Hour, most: 12}
		table := &memoryTable{rows: map[[2]int64]bool{}}
		ref := newReference(r)
		ref.forgiving = true
		now := time.Unix(1_800_000_000, 0)
		var f frontier
		orders := rapid.SampledFrom([]int64{0, 2, 20}).Draw(t, "orders")
		for range rapid.IntRange(1, 60).Draw(t, "polls") {
			for range rapid.IntRange(0, 6).Draw(t, "rows") {
				row := [2]int64{rapid.Int64Range(0, orders).Draw(t, "order"), rapid.Int64Range(0, 100).Draw(t, "key")}
				table.rows[row] = true
			}
			now = now.Add(time.Minute)
			f = ref.poll(t, stored(t, f), table, now, 4, r)
			if n := len(f.known()); n > 4*r.most {
				t.Fatalf("%d rows are remembered: %+v", n, f)
			}
		}
	})
}

func TestFrontier_remembers_nothing_of_numbers_without_gaps(t *testing.T) {
	table := &memoryTable{rows: map[[2]int64]bool{}, unique: true}
	r := reach{lookBack: time.Minute, most: mostSeen, unique: true}
	now := time.Unix(1_800_000_000, 0)
	var f frontier
	poll := func() {
		t.Helper()
		f = stored(t, f)
		if _, err := f.look(t.Context(), table, now, 1000, r); err != nil {
			t.Fatal(err)
		}
	}
	put := func(ns ...int64) {
		for _, n := range ns {
			table.rows[[2]int64{n, n}] = true
		}
	}
	put(1, 2, 3)
	poll()
	now = now.Add(time.Hour)
	put(4, 5, 6, 7, 9, 10)
	poll()
	if got := fmt.Sprint(pairOf(*f.Floor)[0], f.seen()); got != "7 2" {
		t.Errorf("with a gap at 8: floor and rows remembered %s, want 7 2", got)
	}
	put(8)
	poll()
	if got := fmt.Sprint(pairOf(*f.Floor)[0], f.seen()); got != "10 0" {
		t.Errorf("the gap is closed: floor and rows remembered %s, want 10 0", got)
	}
	put(12)
	poll()
	now = now.Add(2 * time.Minute)
	put(13)
	poll()
	if got := fmt.Sprint(pairOf(*f.Floor)[0], f.seen()); got != "13 0" {
		t.Errorf("the gap at 11 is over: floor and rows remembered %s, want 13 0", got)
	}
}

func TestFrontier_finds_what_fills_a_gap_after_as_many_rows_came_late_below_it(t *testing.T) {
	table := &memoryTable{rows: map[[2]int64]bool{}, unique: true}
	r := reach{lookBack: 10 * time.Second, most: mostSeen, unique: true}
	now := time.Unix(1_800_000_000, 0)
	look := func(f frontier, after time.Duration, numbers ...int64) frontier {
		t.Helper()
		for _, n := range numbers {
			table.rows[[2]int64{n, n}] = true
		}
		now, f = now.Add(after), stored(t, f)
		if p, err := f.look(t.Context(), table, now, 100, r); err != nil || len(p.rows()) != len(numbers) {
			t.Fatalf("%d rows are found of %v: %v", len(p.rows()), numbers, err)
		}
		return f
	}
	f := look(frontier{Floor: &position{Order: []atom{{int64(1)}}}}, 0, 10, 25)
	f = look(f, 5*time.Second, 26)
	f = look(f, 4*time.Second, 12, 13, 14) // late
	f = look(f, 2*time.Second, 30)         // the floor is 25, and five rows are remembered
	f = look(f, time.Millisecond)          // of which three are below it
	look(f, time.Millisecond, 27, 28, 29)  // which are as many as are missing
}

func TestFrontier_goes_on_when_the_clock_is_set_back(t *testing.T) {
	table := &memoryTable{rows: map[[2]int64]bool{{5, 5}: true}}
	r := reach{lookBack: time.Minute, most: mostSeen}
	now := time.Unix(1_800_000_000, 0)
	var f frontier
	if p, err := f.look(t.Context(), table, now, 10, r); err != nil || len(p.rows()) != 1 {
		t.Fatal(p, err)
	}
	now = now.Add(-24 * time.Hour)
	for _, want := range []int{1, 0} {
		table.rows[[2]int64{4, int64(want)}] = true
		p, err := f.look(t.Context(), table, now, 10, r)
		if err != nil || len(p.rows()) != 1 {
			t.Fatalf("%v %v, want one late row", p, err)
		}
	}
}

func TestFrontier_finds_what_came_within_a_look_back_however_late_it_looks(t *testing.T) {
	table := &memoryTable{rows: map[[2]int64]bool{{10, 10}: true}}
	r := reach{lookBack: time.Minute, most: mostSeen}
	now := time.Unix(1_800_000_000, 0)
	f, err := begin(t.Context(), table, now, r)
	if err != nil {
		t.Fatal(err)
	}
	table.rows[[2]int64{9, 9}] = true // a second later; then the daemon is down for a day
	now = now.Add(24 * time.Hour)
	p, err := f.look(t.Context(), table, now, 10, r)
	if err != nil || len(p.rows()) != 1 || !p.raised {
		t.Fatalf("%+v, %v, want the row that came late", p, err)
	}
	for f = stored(t, f); f.overlaps() && f.seen() > 0; f = stored(t, f) {
		now = now.Add(time.Minute)
		if p, err = f.look(t.Context(), table, now, 10, r); err != nil || len(p.rows()) != 0 || !p.raised {
			t.Fatalf("%+v, %v, want nothing more, and less to look back at", p, err)
		}
	}
}

// More rows tie than are remembered: those from before the trigger, and those that came
// while it looked.
func TestFrontier_takes_rows_that_tie_in_masses_for_seen(t *testing.T) {
	table := &memoryTable{rows: map[[2]int64]bool{}}
	put := func(order, from, to int64) {
		for key := from; key < to; key++ {
			table.rows[[2]int64{order, key}] = true
		}
	}
	put(1, 0, 3*baseline)
	r := reach{lookBack: time.Minute, most: 100}
	now := time.Unix(1_800_000_000, 0)
	f, err := begin(t.Context(), table, now, r)
	if err != nil {
		t.Fatal(err)
	}
	look := func(want int) {
		t.Helper()
		found := 0
		for more := true; more; now = now.Add(time.Minute) {
			f = stored(t, f)
			p, err := f.look(t.Context(), table, now, 40, r)
			if err != nil {
				t.Fatal(err)
			}
			if found, more = found+len(p.rows()), p.more; found > want {
				break
			}
		}
		if found != want {
			t.Fatalf("%d rows are found, want %d", found, want)
		}
	}
	look(0)
	look(0)
	put(1, 1000, 1007)
	look(7)
	put(2, 0, 500)
	look(500)
	look(0)
	put(2, 500, 501)
	look(1)
	put(3, 0, 20)
	look(20)
	put(3, -5, 0)
	look(5)
}
