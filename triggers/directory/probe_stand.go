package directory

import (
	"fmt"
	"time"

	"github.com/latticed/latticed/triggers"
)

// leftOut names the rule by which something is no event of its own; empty: it counts.
// Folders that are gone into are not left out.
func (c *census) leftOut(f *found) string {
	switch {
	case f.folder() && c.recursive:
		return c.prunes(f.rel)
	case f.folder():
		return "a folder, and recursive is false"
	case !f.regular():
		return "not a regular file"
	}
	if c.file {
		return c.tooSmall(f)
	}
	if c.asm == nil {
		if rule := c.leaves(f.rel); rule != "" {
			return rule
		}
		return c.tooSmall(f)
	}
	return c.leftOutOfUnits(f)
}

func (c *census) leftOutOfUnits(f *found) string {
	_, within, ok := c.asm.unitOf(f.rel)
	switch rule := c.leaves(f.rel); {
	case ok && c.asm.marks.hits(within)&^c.asm.marks.needed() != 0:
		return ""
	case rule != "":
		return rule
	case !ok && c.asm.form == aSet:
		return "does not match group.by"
	case !ok:
		return fmt.Sprintf("not inside a folder at depth %d", c.asm.depth)
	}
	return c.tooSmall(f)
}

func (c *census) tooSmall(f *found) string {
	if f.size < c.minSize {
		return fmt.Sprintf("smaller than min_size %s", bytesText(c.minSize))
	}
	return ""
}

// bytesText writes a number of bytes as people do.
func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// noted reads what is stored of a file; false when nothing is.
func (c *census) noted(rel string) (note, bool, error) {
	e, known := c.stored[rel]
	if !known {
		return note{}, false, nil
	}
	n, err := parseNote(e)
	return n, err == nil, err
}

// unchanged is since when a file has been as it is (ns).
func (c *census) unchanged(f *found, n note, known bool) int64 {
	if known && !c.rules.news(n.stamp, f.stamp) && n.since != 0 {
		return min(n.since, c.now)
	}
	return c.age(f.stamp, c.now)
}

// stands says which events a file would have now, and how it stands otherwise.
func (c *census) stands(f *found, n note, known bool) (kinds, standing) {
	e := entry{stamp: f.stamp, since: c.unchanged(f, n, known)}
	var report kinds
	switch {
	case !known:
		e.owed = c.want & (closed | ready)
		report = c.want & created
	case c.rules.news(n.stamp, f.stamp):
		e.owed, e.done = c.rules.changed(n.entry), n.done
		if e.owed == 0 {
			return 0, standing{state: triggers.FindingReported, why: "reported already, and refire is never"}
		}
	case n.owed != 0:
		e.owed, e.done = n.owed&c.want, n.done
	case n.old:
		return 0, standing{state: triggers.FindingExisting, why: "existing: was there before the trigger"}
	case !n.done && c.want.has(closed|ready):
		return 0, standing{state: triggers.FindingExisting, why: "existing: was known before the trigger asked for it, or was too small then; counts once it changes"}
	default:
		return 0, standing{state: triggers.FindingReported, why: "reported already"}
	}
	v := c.rules.judge(&e, f.stamp, false, c.now)
	report |= v.report
	if rest := v.owed & (closed | ready); rest != 0 {
		due := v.since + int64(c.rules.settle)
		return report, standing{
			state: triggers.FindingSettling, until: due,
			why: fmt.Sprintf("unchanged for %s of %s", short(time.Duration(c.now-v.since)), short(c.rules.settle)),
		}
	}
	return report, standing{state: isReady}
}
