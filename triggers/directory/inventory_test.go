package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"testing"
	"time"
)

// notesOf reads what is stored with a file.
func (l *lone) notesOf(name string) notes {
	l.Helper()
	var n notes
	if err := json.Unmarshal(l.entities[name].Data, &n); err != nil {
		l.Fatalf("%s: %v", name, err)
	}
	return n
}

func TestInventory_knows_when_a_file_was_seen_first(t *testing.T) {
	w := newWorld(t)
	w.write("old.dat", "1")
	l := w.lone(`"event_names":["ready"],"settle":"10ms"`)
	defer func() { l.close() }()
	began := time.Now().UnixMicro()
	l.run()
	if n := l.notesOf("old.dat"); !n.Old || n.First < began || n.First > time.Now().UnixMicro() || n.Done {
		t.Errorf("what was there: %+v", n)
	}
	w.write("new.dat", "1")
	l.finish()
	first := l.notesOf("new.dat")
	if first.Old || !first.Done || first.First < began {
		t.Errorf("what came: %+v", first)
	}
	l.close()
	w.write("new.dat", "12")
	w.rename("old.dat", "moved.dat")
	l.run()
	l.finish()
	if n := l.notesOf("new.dat"); n.First != first.First || len(n.Owed) != 0 {
		t.Errorf("what changed: %+v, was %+v", n, first)
	}
	if n := l.notesOf("moved.dat"); !n.Old || n.First >= first.First {
		t.Errorf("what moved: %+v", n)
	}
	if len(l.events) != 2 {
		t.Errorf("told %s", l.told())
	}
}

func TestInventory_an_edit_of_what_counts_takes_a_new_baseline(t *testing.T) {
	w := newWorld(t)
	w.put("a/1.dat", "1")
	w.put("2.dat", "1")
	l := w.lone(`"recursive":true,"event_names":["created","deleted"]`)
	l.run()
	l.close()
	if len(l.entities) != 2 {
		t.Errorf("%d are known", len(l.entities))
	}
	for fields, want := range map[string]int{
		`"recursive":false`:                         1,
		`"recursive":true,"exclude":["a"]`:          1,
		`"recursive":true,"include":["*.tif"]`:      0,
		`"recursive":true,"ignore_case":true`:       2,
		`"recursive":true,"refire":"never"`:         2,
		`"recursive":true,"event_names":["closed"]`: 2,
	} {
		o := w.lone(fields)
		o.cursor, o.entities = l.cursor, maps.Clone(l.entities)
		o.run()
		o.close()
		if len(o.entities) != want || len(o.events) != 0 {
			t.Errorf("%s: %d are known, want %d; told %s", fields, len(o.entities), want, o.told())
		}
	}
}

// The inventory of a trigger that was registered before there were trees, and has no
// notes, goes on.
func TestInventory_of_an_earlier_version_is_kept(t *testing.T) {
	w := newWorld(t)
	w.write("a.dat", "1")
	l := w.lone(`"event_names":["created"]`)
	l.run()
	l.close()
	var c cursor
	w.must(json.Unmarshal(l.cursor, &c))
	earlier := sha256.Sum256([]byte(`["` + w.dir + `",null,null]`))
	if c.Scope != hex.EncodeToString(earlier[:8]) {
		t.Error("the same trigger would take a new baseline")
	}
	for name, e := range l.entities {
		e.Data = nil
		l.entities[name] = e
	}
	w.write("b.dat", "1")
	l.run()
	l.close()
	if got := l.told(); got != "created "+w.path("b.dat") {
		t.Errorf("told %q", got)
	}
}
