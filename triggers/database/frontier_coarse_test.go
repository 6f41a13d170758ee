package database

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// foldedTable is a table in memory whose order takes capitals for small letters. Rows are
// texts by their keys.
type foldedTable map[int64]string

func placeOf(text string, key int64) position {
	return position{Order: []atom{{text}}, Key: []atom{{key}}}
}

// compareFolded is the order of the table; where a position has no key, the order alone.
func compareFolded(a, b position) int {
	byText := cmp.Compare(strings.ToLower(a.Order[0].v.(string)), strings.ToLower(b.Order[0].v.(string)))
	if byText != 0 || a.Key == nil || b.Key == nil {
		return byText
	}
	return cmp.Compare(a.Key[0].v.(int64), b.Key[0].v.(int64))
}

// upTo is what is above a floor, in order, up to high (nil: all), n at most.
func (m foldedTable) upTo(f floor, high *position, n int) []position {
	var there []position
	for key, text := range m {
		at := placeOf(text, key)
		switch {
		case f.at != nil && f.strict && compareFolded(at, *f.at) <= 0:
		case f.at != nil && !f.strict && compareFolded(at, position{Order: f.at.Order}) < 0:
		case high != nil && compareFolded(at, *high) > 0:
		default:
			there = append(there, at)
		}
	}
	slices.SortFunc(there, compareFolded)
	return there[:min(n, len(there))]
}

func (m foldedTable) between(_ context.Context, f floor, high position, n int) ([]position, error) {
	return m.upTo(f, &high, n), nil
}

func (m foldedTable) after(ctx context.Context, f floor, n int) ([]row, error) {
	return m.pick(ctx, m.upTo(f, nil, n))
}

func (m foldedTable) pick(_ context.Context, at []position) ([]row, error) {
	var rows []row
	for _, p := range at {
		if m[p.Key[0].v.(int64)] == p.Order[0].v {
			rows = append(rows, row{at: p})
		}
	}
	return rows, nil
}

func (m foldedTable) last(_ context.Context, n int) ([]position, error) {
	all := m.upTo(floor{}, nil, len(m))
	slices.Reverse(all)
	return all[:min(n, len(all))], nil
}

// beginBehind is what begin makes of a table of more rows than it takes for seen, with n
// instead of so many.
func beginBehind(table foldedTable, n int, now time.Time, r reach) frontier {
	all := table.upTo(floor{}, nil, len(table))
	n = min(n, len(all)-1)
	var f frontier
	rows := make([]placed, 0, n)
	for _, at := range all[len(all)-n:] {
		rows = append(rows, marked(at))
	}
	f.Floor, f.Strict = &all[len(all)-1-n], true
	f.advance(rows, now, r)
	return f
}

func TestFrontier_reports_each_row_once_where_the_database_takes_different_texts_for_the_same(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reach{lookBack: time.Duration(rapid.SampledFrom([]int{0, 10}).Draw(t, "look back")) * time.Second, most: mostSeen}
		now := time.Unix(1_800_000_000, 0)
		table, seen, ended := foldedTable{}, map[int64]time.Time{}, map[int64]bool{}
		text, key := rapid.SampledFrom([]string{"a", "A", "b", "B", "c"}), rapid.Int64Range(0, 60)
		for range rapid.IntRange(0, 12).Draw(t, "before") {
			table[key.Draw(t, "key")] = text.Draw(t, "text")
		}
		var f frontier
		if len(table) > 0 {
			f = beginBehind(table, rapid.IntRange(0, 6).Draw(t, "baseline"), now, r)
		}
		behind := f.Floor
		known := map[int64]string{} // rows that were there before, or were reported, by key
		for k, v := range table {
			known[k], seen[k] = v, now
		}
		texts := map[int64]string{}
		poll := func() {
			f = stored(t, f)
			for more := true; more; {
				p, err := f.look(t.Context(), table, now, rapid.IntRange(1, 4).Draw(t, "limit"), r)
				if err != nil {
					t.Fatal(err)
				}
				for _, found := range p.rows() {
					k, v := found.at.Key[0].v.(int64), found.at.Order[0].v.(string)
					if known[k] == v {
						t.Fatalf("%d %s is found once more: %+v", k, v, f)
					}
					known[k], seen[k] = v, now
				}
				more = p.more
			}
			for k, v := range table {
				if known[k] != v && !ended[k] {
					t.Fatalf("%d %s is not found: %+v", k, v, f)
				}
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				k, v := key.Draw(t, "key"), text.Draw(t, "text")
				if _, was := texts[k]; was || known[k] != "" {
					continue
				}
				table[k], texts[k] = v, v
				ended[k] = behind != nil && compareFolded(placeOf(v, k), *behind) <= 0
				for other, at := range seen {
					of := cmp.Or(known[other], texts[other])
					if compareFolded(placeOf(of, other), placeOf(v, k)) > 0 && now.Sub(at) >= r.lookBack {
						ended[k] = true // it comes too late, and may be found or not
					}
				}
			case 2:
				delete(table, key.Draw(t, "key"))
			case 3:
				now = now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
			case 4:
				poll()
			}
		}
		poll()
	})
}
