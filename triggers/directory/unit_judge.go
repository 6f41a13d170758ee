package directory

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// isReady is what judge says of a unit that has earned its event.
const isReady = "ready"

// manifestRetry is how soon a manifest is read again that could not be.
const manifestRetry = 5 * time.Second

// standing is how a unit stands: isReady or one of the words of triggers.Finding.
type standing struct {
	state string
	why   string
	until int64 // ns; 0: nobody knows
}

// judge says how a unit stands now (ns). It changes nothing but what is remembered of a
// manifest.
func (a *units) judge(u *unit, now int64) standing {
	u.freshen()
	switch {
	case u.past.state == unitKnown && !u.changed():
		return standing{state: triggers.FindingExisting, why: "existing: was there before the trigger" + because(a.missing(u))}
	case u.past.state == unitExisting && !a.anew(u):
		return standing{state: triggers.FindingExisting, why: "existing: was there before the trigger"}
	case u.past.state == unitLate && !a.anew(u):
		return standing{state: triggers.FindingReported, why: "reported at its deadline, incomplete" + because(a.missing(u))}
	case u.past.state == unitReported && !a.anew(u):
		return standing{state: triggers.FindingReported, why: "reported already"}
	}
	if missing := a.missing(u); len(missing) > 0 {
		return standing{state: triggers.FindingWaiting, why: strings.Join(missing, "; ") + a.late(u), until: 0}
	}
	if due := u.since + int64(a.settle()); now < due {
		why := fmt.Sprintf("unchanged for %s of %s", short(time.Duration(now-u.since)), short(a.settle()))
		return standing{state: triggers.FindingSettling, why: why + a.late(u), until: due}
	}
	if a.manifest != "" {
		if why, again := a.consult(u); why != "" {
			s := standing{state: triggers.FindingWaiting, why: why + a.late(u)}
			if again {
				s.until = now + int64(manifestRetry)
			}
			return s
		}
	}
	return standing{state: isReady}
}

// anew tells whether a unit that has had its event may have another.
func (a *units) anew(u *unit) bool { return a.again && u.changed() }

func because(missing []string) string {
	if len(missing) == 0 {
		return ""
	}
	return " (" + strings.Join(missing, "; ") + ")"
}

// late is added to what a held unit still waits for.
func (a *units) late(u *unit) string {
	if u.past.state == unitHeld {
		return "; its deadline has passed: its event is held until then (once that is fired by hand, nothing is told when it is complete)"
	}
	return ""
}

// missing says which rules about files are not met, besides quiet.
func (a *units) missing(u *unit) []string {
	missing := a.marks.missing(u.markers().found, u.id)
	switch {
	case a.count > 0 && u.count < a.count:
		missing = append(missing, fmt.Sprintf("%d of %d files", u.count, a.count))
	case u.count == 0:
		missing = append(missing, "holds no file that counts yet")
	}
	return missing
}

// deadlineOf is when the deadline of a unit passes; 0: it has none, or none any more.
func (a *units) deadlineOf(u *unit) int64 {
	if a.deadline == 0 || u.past.state != unitNew || u.past.first == 0 {
		return 0
	}
	return u.past.first + int64(a.deadline)
}

// manifestRead is what the manifests of a unit said when they were read last.
type manifestRead struct {
	version sum
	names   []string
	wrong   string
	again   bool // it could not be read: try again
}

// consult compares the files of a unit with its manifests. why is empty when all are
// there; again says that asking once more may help.
func (a *units) consult(u *unit) (why string, again bool) {
	var lists []string
	var version sum
	for rel, m := range u.files {
		if a.marks.lists(m.bits) {
			lists = append(lists, rel)
			version = version.plus(sumOf(rel, m.size, m.mtime))
		}
	}
	if u.listed.version != version || u.listed.again {
		u.listed = a.readManifests(u, lists)
		u.listed.version = version
	}
	if u.listed.wrong != "" {
		return u.listed.wrong, u.listed.again
	}
	there := make(map[string]bool, len(u.files))
	for rel, m := range u.files {
		if m.counted {
			there[strings.TrimPrefix(rel, u.id+"/")] = true
		}
	}
	first, count := absent(u.listed.names, there)
	switch count {
	case 0:
		return "", false
	case 1:
		return fmt.Sprintf("waits for %s, which the manifest lists", first), false
	}
	return fmt.Sprintf("waits for %s and %d more of the %d files that the manifest lists", first, count-1, len(u.listed.names)), false
}

// readManifests reads what the manifests of a unit list, as far as it counts: a file
// that the trigger leaves out is not waited for.
func (a *units) readManifests(u *unit, lists []string) manifestRead {
	var read manifestRead
	for _, rel := range lists {
		content, err := a.read(rel, maxManifest+1)
		if err != nil {
			return manifestRead{wrong: fmt.Sprintf("the manifest %s can't be read: %v", path.Base(rel), err), again: true}
		}
		within := strings.TrimPrefix(rel, u.id+"/")
		names, err := parseManifest(content, path.Dir(within))
		if err != nil {
			return manifestRead{wrong: fmt.Sprintf("the manifest %s %v", path.Base(rel), err)}
		}
		for _, name := range names {
			if a.counts(path.Join(u.id, name)) {
				read.names = append(read.names, name)
			}
		}
	}
	return read
}

// short writes a duration as people say it.
func short(d time.Duration) string {
	switch {
	case d < 0:
		d = 0
	case d < time.Second:
		d = d.Round(time.Millisecond)
	case d < 10*time.Minute:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Minute)
	}
	return graph.Span(d)
}
