package directory

import (
	"path"
	"strings"
)

// marks are the globs of a unit as bits: those of all, of any, of need, and the
// manifest.
type marks struct {
	globs    []string
	any      int // where those of any begin
	need     int // where those of need begin
	manifest int // where the manifest is; the number of globs when there is none
	fold     bool
}

func (r *unitRules) marks() marks {
	m := marks{any: len(r.all), need: len(r.all) + len(r.any), fold: r.fold}
	m.globs = append(append(append(m.globs, r.all...), r.any...), r.need...)
	m.manifest = len(m.globs)
	if r.manifest != "" {
		m.globs = append(m.globs, r.manifest)
	}
	return m
}

// hits tells which globs a file matches. Markers and the manifest are relative to the
// unit: without a slash they are directly in it, or beside the file. What is needed of
// a set is told by the base name.
func (m *marks) hits(within string) uint64 {
	var bits uint64
	base := path.Base(within)
	for i, glob := range m.globs {
		name := within
		if m.need <= i && i < m.manifest {
			name = base
		} else if !strings.Contains(glob, "/") && name != base {
			continue // a marker deeper in the unit has to be asked for
		}
		if globMatches(glob, name, m.fold) {
			bits |= 1 << i
		}
	}
	return bits
}

// needed are the bits of group.need.
func (m *marks) needed() uint64 { return 1<<m.manifest - 1<<m.need }

// lists tells whether the bits are of a manifest.
func (m *marks) lists(bits uint64) bool {
	return m.manifest < len(m.globs) && bits&(1<<m.manifest) != 0
}

// missing says which rules of markers and members are not met, given how many files
// match each glob. set names the set in what is said.
func (m *marks) missing(found []int32, set string) []string {
	var out []string
	for i := range m.any {
		if found[i] == 0 {
			out = append(out, "waits for "+m.globs[i])
		}
	}
	if m.any < m.need && !hasOne(found[m.any:m.need]) {
		names := m.globs[m.any:m.need]
		if len(names) == 1 {
			out = append(out, "waits for "+names[0])
		} else {
			out = append(out, "waits for one of "+strings.Join(names, ", "))
		}
	}
	for i := m.need; i < m.manifest; i++ {
		if found[i] == 0 {
			out = append(out, "waits for "+m.globs[i]+" of set "+set)
		}
	}
	if m.manifest < len(m.globs) && found[m.manifest] == 0 {
		out = append(out, "waits for the manifest "+m.globs[m.manifest])
	}
	return out
}

func hasOne(found []int32) bool {
	for _, n := range found {
		if n > 0 {
			return true
		}
	}
	return false
}
