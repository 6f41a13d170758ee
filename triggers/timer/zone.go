package timer

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // for machines that have none of their own

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// zones are the zones in use: many triggers share a few.
var zones sync.Map // of *time.Location by name

func loadZone(name string) (*time.Location, bool) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), true //nolint:forcetypeassert // nothing else is stored
	}
	if name == "" || strings.EqualFold(name, "local") {
		return nil, false // what they stand for depends on the machine
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	stored, _ := zones.LoadOrStore(name, z)
	return stored.(*time.Location), true //nolint:forcetypeassert // nothing else is stored
}

// hostZone is the name of the zone of this machine, and where it says so. It is asked
// once: a trigger keeps the zone it was registered with.
var hostZone = sync.OnceValues(func() (name, from string) { return findZone(os.Getenv("TZ"), "/etc") })

// findZone looks where Unix systems name their zone.
func findZone(env, etc string) (name, from string) {
	known := func(name string) bool { _, ok := loadZone(name); return ok }
	if z := zoneOf(strings.TrimPrefix(env, ":")); known(z) {
		return z, "this machine (TZ)"
	}
	if raw, err := os.ReadFile(filepath.Join(etc, "timezone")); err == nil {
		if z := strings.TrimSpace(string(raw)); known(z) {
			return z, "this machine (/etc/timezone)"
		}
	}
	if path, err := os.Readlink(filepath.Join(etc, "localtime")); err == nil {
		if z := zoneOf(path); known(z) {
			return z, "this machine (/etc/localtime)"
		}
	}
	return "UTC", "nothing: this machine doesn't name its zone"
}

// zoneOf is the name of the zone that a path of the zone database stands for.
func zoneOf(path string) string {
	if _, name, ok := strings.Cut(path, "zoneinfo/"); ok {
		return strings.TrimPrefix(strings.TrimPrefix(name, "posix/"), "right/")
	}
	return path
}

// readZone reads the field timezone. What this machine says for one that was not given
// is returned as well.
func readZone(f *triggers.Fields) (zone *time.Location, name string, fill map[string]any) {
	if !f.Has("timezone") {
		name, from := hostZone()
		f.Alias("timezone")
		f.Set("timezone", name, from)
		zone, _ = loadZone(name)
		return zone, name, map[string]any{"timezone": name}
	}
	name = f.Text("timezone", "UTC")
	zone, ok := loadZone(name)
	if !ok {
		hint := ""
		if s := guessZone(name); s != "" {
			hint = "; did you mean " + s + "?"
		}
		f.Refuse("timezone", graph.CodeBadValue, "%s is not the name of a zone, such as Europe/Berlin or UTC%s", quote(name), hint)
		return time.UTC, "UTC", nil
	}
	return zone, name, nil
}

// guessZone finds a zone whose name differs in spaces and capitals only.
func guessZone(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == ' ' || r == '_' })
	guess := []byte(strings.Join(words, "_"))
	for i, b := range guess {
		if (i == 0 || strings.IndexByte("/_-", guess[i-1]) >= 0) && b >= 'a' && b <= 'z' {
			guess[i] -= 'a' - 'A'
		}
	}
	for _, s := range []string{string(guess), strings.ToUpper(name)} {
		if _, ok := loadZone(s); ok {
			return s
		}
	}
	return ""
}
