package spool

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/triggers"
)

// refuseSQL lets the database refuse what a test names, until it is allowed again.
func (s *Spool) refuseSQL(t *testing.T, when string) (allow func()) {
	t.Helper()
	exec := func(q string) {
		t.Helper()
		if _, err := s.db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TRIGGER no " + when + " BEGIN SELECT RAISE(ABORT, 'no room'); END")
	return func() { exec("DROP TRIGGER no") }
}

func TestEmit_keeps_nothing_of_a_batch_that_failed(t *testing.T) {
	for name, c := range map[string]struct {
		when  string
		batch triggers.Batch
	}{
		"the_cursor":          {"BEFORE UPDATE ON meta", triggers.Batch{}},
		"a_new_entity":        {"BEFORE INSERT ON entities", triggers.Batch{Entities: []triggers.Change{{Key: []byte("new"), Version: "1"}}}},
		"an_entity_that_goes": {"BEFORE DELETE ON entities", triggers.Batch{Entities: []triggers.Change{{Key: []byte("old"), Deleted: true}}}},
		"a_new_event":         {"BEFORE INSERT ON events", events("c")},
		"an_amended_event":    {"BEFORE UPDATE ON events", triggers.Batch{Events: []triggers.Event{{Key: "a", Amends: true, Payload: []byte(`{"path":"longer than before"}`)}}}},
		"an_unreadable_event": {"BEFORE UPDATE ON meta WHEN false", triggers.Batch{Events: []triggers.Event{{Key: "c", Payload: []byte(`{`)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := openAt(t, filepath.Join(t.TempDir(), "spool"), Options{Judge: func(map[string]any, time.Time) triggers.Judgement { return triggers.Judgement{} }})
			first := events("a")
			first.Cursor, first.Entities = json.RawMessage(`1`), []triggers.Change{{Key: []byte("old"), Version: "1", Data: json.RawMessage(`{"x":1}`)}}
			s.mustEmit(t, first)
			<-s.Added()
			was := s.bytes
			allow := s.refuseSQL(t, c.when)
			c.batch.Cursor = json.RawMessage(`2`)
			c.batch.Events = append(events("b").Events, c.batch.Events...)
			if err := s.Emit(t.Context(), c.batch); err == nil || !strings.HasPrefix(err.Error(), "write the spool: ") {
				t.Errorf("%v", err)
			}
			from, err := s.from(t.Context(), nil)
			if err != nil || string(from.Cursor) != "1" {
				t.Errorf("the cursor is %s, %v", from.Cursor, err)
			}
			if e, ok, err := from.Entity(t.Context(), []byte("old")); err != nil || !ok || e.Version != "1" || string(e.Data) != `{"x":1}` {
				t.Errorf("the entity is %+v %v %v", e, ok, err)
			}
			if _, ok, err := from.Entity(t.Context(), []byte("new")); err != nil || ok {
				t.Errorf("there is a new one: %v", err)
			}
			if s.bytes != was || len(s.added) != 0 {
				t.Errorf("%d bytes instead of %d, told %d times", s.bytes, was, len(s.added))
			}
			if e, _, err := s.Next(t.Context()); err != nil || string(e.Payload) != string(first.Events[0].Payload) {
				t.Errorf("the event is %s, %v", e.Payload, err)
			}
			allow()
			if name != "an_unreadable_event" { // the source tries the same again
				s.mustEmit(t, c.batch)
				<-s.Added()
			}
		})
	}
}

// An event that could not be marked comes again rather than never.
func TestDone_that_failed_leaves_the_event(t *testing.T) {
	s := openNew(t)
	s.mustEmit(t, events("a"))
	was := s.bytes
	e, _, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	allow := s.refuseSQL(t, "BEFORE UPDATE ON events")
	for what, err := range map[string]error{"done": s.Done(t.Context(), e), "refused": s.Refuse(t.Context(), e, "no")} {
		if err == nil || !strings.HasPrefix(err.Error(), "write the spool: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s.bytes != was {
		t.Errorf("%d bytes instead of %d", s.bytes, was)
	}
	allow()
	if got := s.takeAll(t); !slices.Equal(got, []string{"a"}) || s.bytes != 0 {
		t.Errorf("%v, %d bytes", got, s.bytes)
	}
}

func TestEmit_keeps_no_event_that_is_skipped(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "spool"), Options{Judge: func(f map[string]any, _ time.Time) triggers.Judgement {
		return triggers.Judgement{Skip: map[bool]string{true: "observed"}[f["path"] == "b"]}
	}})
	s.mustEmit(t, events("a", "b", "c"))
	if got := s.takeAll(t); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("%v", got)
	}
}

// entry is an event as the model has it.
type entry struct{ key, payload, state string }

// Whatever is emitted, amended, delivered and refused, over restarts: each key comes once,
// in its order, as it was amended last, and what waits is counted to the byte.
func TestSpool_agrees_with_a_list(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		begin := func() *Spool {
			s, err := Open(t.Context(), dir, Options{Owner: "x", Judge: holdsParts})
			if err != nil {
				r.Fatal(err)
			}
			return s
		}
		s := begin()
		defer func() { _ = s.Close() }()
		var all []*entry
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			switch rapid.IntRange(0, 9).Draw(r, "do") {
			default:
				var b triggers.Batch
				for range rapid.IntRange(1, 3).Draw(r, "events") {
					key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(r, "key")
					parts := rapid.IntRange(0, 2).Draw(r, "parts")
					e := triggers.Event{Key: key, Kind: "ready", Amends: rapid.Bool().Draw(r, "amends"), Payload: fmt.Appendf(nil, `{"path":"%s","complete":%v,"n":%q}`, key, parts > 0, strings.Repeat("x", parts))}
					b.Events = append(b.Events, e)
					state := waiting
					if parts == 0 {
						state = held
					}
					at := slices.IndexFunc(all, func(o *entry) bool { return o.key == key })
					switch {
					case at < 0:
						all = append(all, &entry{key, string(e.Payload), state})
					case e.Amends && all[at].state != done:
						all[at].payload, all[at].state = string(e.Payload), state
					}
				}
				if err := s.Emit(t.Context(), b); err != nil {
					r.Fatal(err)
				}
			case 5, 6, 7:
				e, ok, err := s.Next(t.Context())
				at := slices.IndexFunc(all, func(o *entry) bool { return o.state == waiting })
				if err != nil || ok != (at >= 0) || ok && (e.Key != all[at].key || string(e.Payload) != all[at].payload) {
					r.Fatalf("next is %s %s %v, want number %d", e.Key, e.Payload, err, at)
				}
				switch {
				case !ok:
				case rapid.Bool().Draw(r, "refused"):
					all[at].state, err = refused, s.Refuse(t.Context(), e, "no")
				default:
					all[at].state, err = done, s.Done(t.Context(), e)
				}
				if err != nil {
					r.Fatal(err)
				}
			case 8:
				if err := s.Close(); err != nil {
					r.Fatal(err)
				}
				s = begin()
				for _, o := range all {
					if o.state == refused {
						o.state = waiting
					}
				}
			}
			want := map[string]int64{}
			for _, o := range all {
				if want[o.state]++; o.state != done {
					want["bytes"] += int64(len(o.payload) + len(o.key))
				}
			}
			st, err := s.Status(t.Context())
			if err != nil || st.Waiting != want[waiting] || st.Held != want[held] || int64(len(st.Refused)) != want[refused] || st.Bytes != want["bytes"] || s.bytes != want["bytes"] {
				r.Fatalf("%+v and %d bytes, want %v: %v", st, s.bytes, want, err)
			}
		}
	})
}
