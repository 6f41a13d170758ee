package graph

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
)

// Limits of a sweep.
const (
	MaxSweep        = 10_000   // dispatches
	MaxSweepBytes   = 64 << 20 // of the inputs of all of them
	DefaultInFlight = 16       // that run at a time
)

// SweepLabel is the label that the dispatches of a sweep share.
const SweepLabel = "sweep"

// OwnSweep is Dispatch.Sweep of those that are stored together as a sweep: the store
// puts the number of the first of them in its place.
const OwnSweep int64 = -1

// Together makes dispatches that are to be stored together a sweep of that name: all but
// the first limit of them wait until others end.
func Together(ds []Dispatch, name string, limit int) {
	for i := range ds {
		labels := make(map[string]string, len(ds[i].Labels)+1)
		maps.Copy(labels, ds[i].Labels)
		labels[SweepLabel] = name
		ds[i].Labels, ds[i].Sweep, ds[i].Held = labels, OwnSweep, i >= limit
	}
}

// Sweep says which inputs many dispatches of one lattice get: each of the list with each
// of the grid. Without a list there is the grid alone, and the other way round.
type Sweep struct {
	Grid []Axis
	List []map[string]any
}

// Axis is an input of a grid with its values.
type Axis struct {
	Input  string
	Values []any
}

// DecodeGrid reads the grid of a JSON object, in the order of its keys.
func DecodeGrid(raw []byte) ([]Axis, error) {
	p := jsonParser{src: raw}
	if c, err := p.peek(); err != nil || c != '{' {
		return nil, fmt.Errorf("it must be an object: by input, the list of its values")
	}
	var grid []Axis
	err := p.object(func(key string, _ int) error {
		v, err := p.plain()
		if err != nil {
			return err
		}
		values, ok := v.([]any)
		if !ok {
			return invalidGrid(key, CodeWrongType, "must be the list of its values; what all have goes to inputs")
		}
		grid = append(grid, Axis{key, values})
		return nil
	})
	if err == nil {
		err = p.end()
	}
	return grid, err
}

func invalidGrid(input, code, message string) error {
	return &Invalid{Problems: []Problem{{Path: join("grid", input), Code: code, Message: message}}}
}

// Count is how many dispatches there are.
func (s Sweep) Count() int {
	n := 1
	if s.List != nil {
		n = len(s.List)
	}
	for _, a := range s.Grid {
		if len(a.Values) > 0 && n > math.MaxInt/len(a.Values) {
			return math.MaxInt
		}
		n *= len(a.Values)
	}
	return n
}

// All gives the inputs of each: the last of the grid changes fastest, and the list
// slowest. The map is the receiver's.
func (s Sweep) All() iter.Seq2[int, map[string]any] {
	return func(yield func(int, map[string]any) bool) {
		for i := range s.Count() {
			values := map[string]any{}
			row := i
			for _, a := range slices.Backward(s.Grid) {
				values[a.Input] = a.Values[row%len(a.Values)]
				row /= len(a.Values)
			}
			if s.List != nil {
				maps.Copy(values, s.List[row])
			}
			if !yield(i, values) {
				return
			}
		}
	}
}

// place is where a value of the i-th stands: grid.bins[2], list[3].bins, or inputs.bins
// when it is of all of them.
func (s Sweep) place(i int, input string) string {
	for _, a := range slices.Backward(s.Grid) {
		if a.Input == input {
			return item(join("grid", input), i%len(a.Values))
		}
		i /= len(a.Values)
	}
	if s.List != nil {
		if _, given := s.List[i][input]; given {
			return join(item("list", i), input)
		}
	}
	return join("inputs", input)
}

// Check finds what is wrong with the sweep itself: nothing in it, more than limit, or an
// input that has its value from two places. given are the inputs of all.
func (s Sweep) Check(given map[string]any, limit int) error {
	var ps problems
	refuse := func(path, code, format string, args ...any) {
		ps.add(Problem{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	if len(s.Grid) == 0 && s.List == nil {
		refuse("grid", CodeMissing, "give a grid or a list of inputs")
	}
	if s.List != nil && len(s.List) == 0 {
		refuse("list", CodeBadValue, "is empty: there is nothing to run")
	}
	inGrid := map[string]bool{}
	for _, a := range s.Grid {
		path := join("grid", a.Input)
		_, twice := given[a.Input]
		switch {
		case len(a.Values) == 0:
			refuse(path, CodeBadValue, "has no value: there is nothing to run")
		case twice:
			refuse(path, CodeBadValue, "is in inputs, too, which is of all of them: give it once")
		case inGrid[a.Input]:
			refuse(path, CodeDuplicateKey, "is given twice")
		}
		inGrid[a.Input] = true
	}
	inList := map[string]bool{} // said of once
	for i, values := range s.List {
		if ps.full() {
			break
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if inList[name] {
				continue
			}
			inList[name] = true
			if _, twice := given[name]; twice {
				refuse(join(item("list", i), name), CodeBadValue, "is in inputs, too, which is of all of them: give it once")
			} else if inGrid[name] {
				refuse(join(item("list", i), name), CodeBadValue, "is in the grid, too: give it once")
			}
		}
	}
	if n := s.Count(); n > limit {
		refuse("", CodeTooLarge, "there are %s combinations, at most %d are possible at a time", many(n), limit)
	}
	return ps.err()
}

func many(n int) string {
	if n == math.MaxInt {
		return "too many to count"
	}
	return fmt.Sprint(n)
}

// said shows the i-th for people: bins=64 alg=a.
func (s Sweep) said(values map[string]any) string {
	const most, each = 80, 24
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, name+"="+shorten(compact(values[name]), each))
	}
	return shorten(strings.Join(parts, " "), most)
}

func shorten(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
