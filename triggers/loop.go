package triggers

import (
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/latticed/latticed/graph"
)

const (
	// loopAt is the generation at which an event is held: by chance a file may look
	// like the result of another one, but hardly three times one after the other.
	loopAt = 3
	// maxTraces bounds what is remembered of the latest firings, of all triggers.
	maxTraces = 8192
	// maxNamesakes bounds what is remembered of one name.
	maxNamesakes = 4
	// maxDepth bounds the folders above a file in which it may have begun.
	maxDepth = 32
)

// traces remember the files of the latest firings, to recognize what their dispatches
// make of them. The zero value is ready. It is kept in memory only: after a restart the
// latest of a trigger are read again when it has the next event.
type traces struct {
	mu    sync.Mutex
	ring  []trace
	next  int // where the next one goes
	by    map[string][]trace
	count map[string]int // by trigger id
}

// trace is one file that was fired.
type trace struct {
	trigger, key string
	dispatch     string // the first
	last         string // the same, unless it is a sweep
	generation   int
}

// fired remembers an event that has become dispatches, from the first to the last.
func (t *traces) fired(trigger string, p *Pending, first, last string) {
	file := filePath(p.fields)
	if file == "" {
		return
	}
	n := trace{trigger: trigger, key: traceKey(trigger, path.Dir(file), stem(path.Base(file))), dispatch: first, last: last, generation: p.Generation}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by, t.count = map[string][]trace{}, map[string]int{}
	}
	if len(t.ring) < maxTraces {
		t.ring = append(t.ring, n)
	} else {
		t.drop(t.ring[t.next])
		t.ring[t.next] = n
		t.next = (t.next + 1) % maxTraces
	}
	t.count[trigger]++
	same := append(t.by[n.key], n)
	if len(same) > maxNamesakes {
		same = slices.Clone(same[1:])
	}
	t.by[n.key] = same
}

func (t *traces) drop(old trace) {
	if t.count[old.trigger]--; t.count[old.trigger] == 0 {
		delete(t.count, old.trigger)
	}
	left := slices.DeleteFunc(t.by[old.key], func(o trace) bool { return o.dispatch == old.dispatch })
	if len(left) == 0 {
		delete(t.by, old.key)
	} else {
		t.by[old.key] = left
	}
}

// ancestors are the firings that, going by the names, may have made a file: the
// deepest generation first, and of each the latest first.
func (t *traces) ancestors(trigger, file string) []trace {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count[trigger] == 0 {
		return nil
	}
	var found []trace
	name := path.Base(file)
	dir := path.Dir(file)
	for range maxDepth {
		for _, end := range boundaries(name) {
			found = append(found, t.by[traceKey(trigger, dir, name[:end])]...)
		}
		up := path.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	slices.Reverse(found)
	slices.SortStableFunc(found, func(a, b trace) int { return b.generation - a.generation })
	return found
}

func traceKey(trigger, dir, stem string) string { return trigger + "\x00" + dir + "\x00" + stem }

// boundaries are where a name may go on after the stem of another: at its end, and
// before whatever is neither a letter nor a digit. So scan_out goes on from scan, but
// scan_10 does not from scan_1.
func boundaries(name string) []int {
	var ends []int
	for i, r := range name {
		if i > 0 && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			ends = append(ends, i)
		}
	}
	return append(ends, len(name))
}

// stem is a name without what says its format: .tif, .nii.gz, .ome.tif. A number after
// a dot is no format, but the number of a file in a series.
func stem(name string) string {
	rest, ext := cutFormat(name)
	inner, format := cutFormat(rest)
	switch strings.ToLower(ext) {
	case ".gz", ".bz2", ".xz", ".zst":
		return inner
	case ".tif", ".tiff":
		if format == ".ome" {
			return inner
		}
	}
	return rest
}

// cutFormat cuts the last part of a name that has a letter in it.
func cutFormat(name string) (rest, ext string) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || !strings.ContainsFunc(name[i:], unicode.IsLetter) {
		return name, ""
	}
	return name[:i], name[i:]
}

// filePath is the path of an event that a file led to; empty for others.
func filePath(fields map[string]any) string {
	p, _ := fields["path"].(string)
	if p == "" || !utf8.ValidString(p) {
		return ""
	}
	return path.Clean(p)
}

// during tells whether a file was changed while a dispatch was under way.
func during(changed time.Time, d *graph.Dispatch) bool {
	// The clock of a file system is a little behind, or only tells whole seconds.
	behind := 20 * time.Millisecond
	if changed.Nanosecond() == 0 {
		behind = time.Second
	}
	switch {
	case d.StartedAt.IsZero() || changed.Add(behind).Before(d.StartedAt):
		return false
	case d.EndedAt.IsZero():
		return true
	}
	return !changed.After(d.EndedAt)
}
