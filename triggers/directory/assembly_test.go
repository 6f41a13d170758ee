package directory

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/triggers"
)

// model is a folder as the reference knows it: every file with its version and when it
// changed last, and what was reported of each unit.
type model struct {
	rules    *unitRules
	files    map[string]stamp
	since    map[string]int64
	first    map[string]int64
	reported map[string]map[string]bool // versions of a unit
	last     map[string]string          // the version reported last
	late     map[string]bool
	held     map[string]string // the key
	known    map[string]string // how an incomplete unit was before the trigger
}

func newModel(r *unitRules) *model {
	return &model{
		rules: r, files: map[string]stamp{}, since: map[string]int64{}, first: map[string]int64{},
		reported: map[string]map[string]bool{}, last: map[string]string{}, late: map[string]bool{}, held: map[string]string{}, known: map[string]string{},
	}
}

// counted is the naive rule of the test: what ends in .txt only marks.
func counted(rel string) bool { return path.Ext(rel) == ".dat" }

// unit lists the files of a unit, sorted.
func (m *model) unit(id string) []string {
	var list []string
	for rel := range m.files {
		own, _, ok := m.rules.unitOf(rel)
		if ok && own == id && (counted(rel) || len(m.rules.all) > 0 && m.rules.form == aFolder) {
			list = append(list, rel)
		}
	}
	slices.Sort(list)
	return list
}

// ids are the units that there may be.
func (m *model) ids() []string {
	if m.rules.form == eachFile {
		return []string{"u0/a.dat", "u0/b.dat", "u0/sub/a.dat", "u1/a.dat", "u1/b.dat", "u1/sub/a.dat"}
	}
	return []string{"u0", "u1"}
}

// marking lists the files among which the markers of a unit are.
func (m *model) marking(id string) []string {
	if m.rules.form != eachFile {
		return m.unit(id)
	}
	var list []string
	for rel := range m.files {
		if !counted(rel) && path.Dir(rel) == path.Dir(id) {
			list = append(list, rel)
		}
	}
	slices.Sort(list)
	return list
}

// version is that of the counted files of a unit.
func (m *model) version(id string) string {
	var b strings.Builder
	for _, rel := range m.unit(id) {
		if counted(rel) {
			fmt.Fprintf(&b, "%s %d %d\n", rel, m.files[rel].size, m.files[rel].mtime)
		}
	}
	return b.String()
}

// looks is how all files of a unit are, those that only mark as well.
func (m *model) looks(id string) string {
	var b strings.Builder
	for _, rel := range append(m.unit(id), m.marking(id)...) {
		fmt.Fprintf(&b, "%s %d %d\n", rel, m.files[rel].size, m.files[rel].mtime)
	}
	return b.String()
}

// met tells whether the rule of a unit is met, quiet aside, and when it will be quiet.
func (m *model) met(id string, settle int64) (ok bool, quiet int64) {
	ok = len(m.version(id)) > 0
	n := 0
	for _, rel := range m.unit(id) {
		if counted(rel) {
			n++
			quiet = max(quiet, m.since[rel]+settle)
		}
	}
	has := func(glob string, of func(string) string) bool {
		return slices.ContainsFunc(m.marking(id), func(rel string) bool {
			hit, _ := path.Match(glob, of(rel))
			return hit
		})
	}
	within := func(rel string) string {
		if m.rules.form == eachFile {
			return path.Base(rel)
		}
		return strings.TrimPrefix(rel, id+"/")
	}
	for _, glob := range m.rules.all {
		ok = ok && has(glob, within)
	}
	for _, glob := range m.rules.need {
		ok = ok && has(glob, path.Base)
	}
	return ok && int64(n) >= m.rules.count, quiet
}

// TestUnits_against_a_naive_reference feeds random arrivals, changes, removals and
// restarts, and compares every event with what a reference finds that looks at all
// files each time.
func TestUnits_against_a_naive_reference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &unitRules{again: rapid.Bool().Draw(t, "again")}
		r.form = rapid.SampledFrom([]form{eachFile, aFolder, aSet}).Draw(t, "form")
		switch r.form {
		case aFolder:
			r.depth = 1
			if rapid.Bool().Draw(t, "marked") {
				r.all = []string{"done.txt"}
			}
		case aSet:
			r.by, r.need = regexp.MustCompile(`^(u\d)/`), []string{"a*"}
		case eachFile:
			r.all = []string{"done.txt"}
		}
		if r.form != eachFile {
			r.count = rapid.Int64Range(0, 2).Draw(t, "count")
		}
		if rapid.Bool().Draw(t, "deadline") {
			r.deadline = 40 * time.Second
			r.fire = rapid.Bool().Draw(t, "fire")
		}
		p := &play{T: t, model: newModel(r), now: 1_000_000_000_000}
		for range rapid.IntRange(0, 5).Draw(t, "there already") {
			p.file(t)
			p.now += int64(rapid.IntRange(0, 12).Draw(t, "s")) * int64(time.Second)
		}
		p.baseline()
		t.Repeat(map[string]func(*rapid.T){
			"write":   p.write,
			"remove":  p.remove,
			"wait":    p.wait,
			"restart": p.restart,
			"":        func(*rapid.T) { p.check() },
		})
	})
}

// play drives an assembler and the model.
type play struct {
	*rapid.T
	*model
	now      int64
	a        *units
	entities map[string]triggers.Change
	keys     map[string]bool // of all events
	old      bool            // what is seen was there before the trigger
}

const settleOfTest = 10 * int64(time.Second)

func (p *play) start() {
	p.a = newUnits(p.rules, ground{
		dir: "/in", settle: func() time.Duration { return time.Duration(settleOfTest) },
		baseline: func() bool { return p.old },
	}, unitKinds{ready: true})
	p.a.counts, p.a.partial = counted, func(string) bool { return false }
	if p.entities == nil {
		p.entities, p.keys = map[string]triggers.Change{}, map[string]bool{}
	}
	for _, key := range slices.Sorted(maps.Keys(p.entities)) {
		if err := p.a.restore(p.entities[key]); err != nil {
			p.Fatal(err)
		}
	}
	for _, rel := range slices.Sorted(maps.Keys(p.files)) {
		p.a.saw(rel, p.files[rel], p.since[rel])
	}
	p.a.looked()
}

// baseline lets the assembler see what was there before the trigger.
func (p *play) baseline() {
	p.old = true
	p.start()
	for _, r := range p.a.take(p.now) {
		if len(r.events) > 0 {
			p.Fatalf("reported what was there: %+v", r.events)
		}
		p.keep(r)
	}
	p.old = false
	for _, id := range p.ids() {
		ok, quiet := p.met(id, settleOfTest)
		switch {
		case len(p.unit(id)) == 0 || p.rules.form == aSet && p.version(id) == "":
		case ok && quiet <= p.now:
			p.last[id], p.first[id] = p.version(id), p.now
		default:
			p.known[id] = p.looks(id)
		}
	}
}

// keep stores the entities of a report.
func (p *play) keep(r report) {
	for _, c := range r.entities {
		if c.Deleted {
			delete(p.entities, string(c.Key))
		} else {
			p.entities[string(c.Key)] = c
		}
	}
}

func (p *play) restart(*rapid.T) { p.start() }

func (p *play) write(t *rapid.T) {
	rel := p.file(t)
	p.a.saw(rel, p.files[rel], p.now)
}

func (p *play) file(t *rapid.T) string {
	rel := fmt.Sprintf("u%d/%s", rapid.IntRange(0, 1).Draw(t, "unit"), rapid.SampledFrom([]string{"a.dat", "b.dat", "sub/a.dat", "done.txt"}).Draw(t, "file"))
	p.now += int64(time.Millisecond)
	p.files[rel], p.since[rel] = stamp{size: rapid.Int64Range(0, 3).Draw(t, "size"), mtime: p.now, ctime: p.now, ino: uint64(p.now)}, p.now
	return rel
}

func (p *play) remove(t *rapid.T) {
	if len(p.files) == 0 {
		t.Skip("nothing to remove")
	}
	rel := rapid.SampledFrom(slices.Sorted(maps.Keys(p.files))).Draw(t, "file")
	same, sameLooks := map[string]bool{}, map[string]bool{}
	for _, id := range p.ids() {
		same[id], sameLooks[id] = p.version(id) == p.last[id], p.looks(id) == p.known[id]
	}
	delete(p.files, rel)
	delete(p.since, rel)
	p.a.gone(rel)
	for _, id := range p.ids() { // that files go is no news
		if same[id] && p.last[id] != "" {
			p.last[id] = p.version(id)
		}
		if sameLooks[id] && p.known[id] != "" {
			p.known[id] = p.looks(id)
		}
	}
}

func (p *play) wait(t *rapid.T) {
	p.now += int64(rapid.IntRange(1, 15).Draw(t, "s")) * int64(time.Second)
}

// want is what the reference reports of a unit now: "", complete or late.
func (p *play) want(id string) string {
	v := p.version(id)
	if len(p.unit(id)) == 0 {
		delete(p.first, id)
		delete(p.last, id)
		delete(p.late, id)
		delete(p.held, id)
		delete(p.known, id)
		return ""
	}
	if was, known := p.known[id]; known {
		if was == p.looks(id) {
			return ""
		}
		delete(p.known, id)
	}
	if p.first[id] == 0 && (p.rules.form == aFolder || v != "") {
		p.first[id] = p.now
	}
	ok, quiet := p.met(id, settleOfTest)
	ready := ok && quiet <= p.now
	_, reported := p.last[id]
	switch {
	case reported && (!p.rules.again || p.last[id] == v):
		return ""
	case ready:
		return "complete"
	case reported, p.late[id], p.first[id] == 0, p.rules.deadline == 0, p.first[id]+int64(p.rules.deadline) > p.now:
		return ""
	}
	return "late"
}

// check lets time come and compares.
func (p *play) check() {
	got := map[string]triggers.Event{}
	for _, r := range p.a.take(p.now) {
		p.keep(r)
		for _, e := range r.events {
			id, _, _ := p.rules.unitOf(strings.TrimPrefix(keyOf(e), "/in/"))
			if p.rules.form != aSet {
				id = strings.TrimPrefix(keyOf(e), "/in/")
			}
			got[id] = e
			if p.keys[e.Key] && !e.Amends && !p.reported[id][p.version(id)] {
				p.Fatalf("%s was used for another version", e.Key)
			}
			p.keys[e.Key] = true
		}
	}
	for _, id := range p.ids() {
		want, e := p.want(id), got[id]
		complete := strings.Contains(string(e.Payload), `"complete":true`)
		switch {
		case want == "" && e.Key != "":
			p.Fatalf("%s was reported and should not be: %s", id, e.Payload)
		case want != "" && e.Key == "":
			p.Fatalf("%s is %s, and was not reported: %+v", id, want, p.a.judge(p.a.all[id], p.now))
		case want == "":
			continue
		case complete != (want == "complete"):
			p.Fatalf("%s is %s: %s", id, want, e.Payload)
		}
		v := p.version(id)
		if p.reported[id] == nil {
			p.reported[id] = map[string]bool{}
		}
		key, held := p.held[id]
		if e.Amends != (held && want == "complete") || e.Amends && key != e.Key {
			p.Fatalf("%s amends %v, held %q: %s", id, e.Amends, key, e.Key)
		}
		p.late[id] = true
		delete(p.held, id)
		if want == "late" && !p.rules.fire {
			p.held[id] = e.Key
			continue
		}
		p.reported[id][v], p.last[id] = true, v
	}
	if due := p.a.due(); due != 0 && due <= p.now {
		p.Fatalf("due %d is not later than %d", due, p.now)
	}
}

func keyOf(e triggers.Event) string {
	key, _, _ := strings.Cut(e.Key, "#")
	return key
}
