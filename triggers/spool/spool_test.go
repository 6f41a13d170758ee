package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

func openAt(t *testing.T, dir string, o Options) *Spool {
	t.Helper()
	if o.Owner == "" {
		o.Owner = "scans"
	}
	s, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func openNew(t *testing.T) *Spool { return openAt(t, filepath.Join(t.TempDir(), "spool"), Options{}) }

func events(keys ...string) triggers.Batch {
	var b triggers.Batch
	for _, k := range keys {
		b.Events = append(b.Events, triggers.Event{Key: k, Kind: "ready", Payload: []byte(`{"path":"` + k + `"}`)})
	}
	return b
}

func (s *Spool) mustEmit(t *testing.T, b triggers.Batch) {
	t.Helper()
	if err := s.Emit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// take delivers the next event and returns its key; empty: there is none.
func (s *Spool) take(t *testing.T) string {
	t.Helper()
	e, ok, err := s.Next(t.Context())
	if err == nil && ok {
		err = s.Done(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e.Key
}

func (s *Spool) takeAll(t *testing.T) (keys []string) {
	t.Helper()
	for k := s.take(t); k != ""; k = s.take(t) {
		keys = append(keys, k)
	}
	return keys
}

func TestSpool(t *testing.T) {
	t.Run("gives events in their order, over a restart too", func(t *testing.T) {
		s := openNew(t)
		s.mustEmit(t, events("c", "a"))
		s.mustEmit(t, events("b"))
		if k := s.take(t); k != "c" {
			t.Errorf("first %q", k)
		}
		dir := filepath.Dir(s.lock.Name())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := openAt(t, dir, Options{}).takeAll(t); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%v", got)
		}
	})

	t.Run("drops a key that is known, also of one that was delivered", func(t *testing.T) {
		s := openNew(t)
		s.mustEmit(t, events("a", "b", "a"))
		s.take(t)
		s.mustEmit(t, events("a", "b", "c"))
		if got := s.takeAll(t); !slices.Equal(got, []string{"b", "c"}) {
			t.Errorf("%v", got)
		}
	})

	t.Run("saves cursor, inventory and events together, or nothing", func(t *testing.T) {
		s := openNew(t)
		b := events("a")
		b.Cursor = []byte(`{"n":1}`)
		b.Entities = []triggers.Change{{Key: []byte("y\xff\n"), Version: "1", Data: []byte(`{}`)}, {Key: []byte("x"), Version: "2"}}
		s.mustEmit(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		bad := events("z")
		bad.Entities = []triggers.Change{{Key: []byte("x"), Deleted: true}}
		if err := s.Emit(ctx, bad); err == nil {
			t.Error("after the end of its context")
		}
		from, err := s.from(t.Context(), nil)
		if err != nil || string(from.Cursor) != `{"n":1}` {
			t.Fatalf("%s %v", from.Cursor, err)
		}
		var got []string
		err = from.Entities(t.Context(), func(c triggers.Change) error {
			got = append(got, fmt.Sprintf("%q %s %s", c.Key, c.Version, c.Data))
			return nil
		})
		if err != nil || !slices.Equal(got, []string{`"x" 2 `, `"y\xff\n" 1 {}`}) {
			t.Errorf("%q %v", got, err)
		}
		if c, ok, err := from.Entity(t.Context(), []byte("x")); !ok || err != nil || c.Version != "2" {
			t.Errorf("%+v %v %v", c, ok, err)
		}
		if _, ok, err := from.Entity(t.Context(), []byte("w")); ok || err != nil {
			t.Errorf("%v %v", ok, err)
		}
		s.mustEmit(t, triggers.Batch{Entities: []triggers.Change{{Key: []byte("x"), Deleted: true}}})
		if _, ok, _ := from.Entity(t.Context(), []byte("x")); ok {
			t.Error("it was removed")
		}
		if got := s.takeAll(t); !slices.Equal(got, []string{"a"}) {
			t.Errorf("%v", got)
		}
	})

	t.Run("what is refused is out of the way, and tried again by the next start", func(t *testing.T) {
		s := openNew(t)
		s.mustEmit(t, events("a", "b"))
		e, _, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Refuse(t.Context(), e, "422 invalid: no"); err != nil {
			t.Fatal(err)
		}
		if k := s.take(t); k != "b" {
			t.Errorf("next is %q", k)
		}
		dir := filepath.Dir(s.lock.Name())
		st, err := Read(t.Context(), dir)
		if err != nil || len(st.Refused) != 1 || st.Refused[0].Reason != "422 invalid: no" || !st.Running || st.Waiting != 0 {
			t.Errorf("%+v %v", st, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if st, err := Read(t.Context(), dir); err != nil || st.Running {
			t.Errorf("closed: %+v %v", st, err)
		}
		if k := openAt(t, dir, Options{}).take(t); k != "a" {
			t.Errorf("after the start %q", k)
		}
	})
}

func TestSpool_holds_what_is_not_complete_until_it_is_amended(t *testing.T) {
	s := openAt(t, t.TempDir(), Options{Judge: holdsParts})
	part := events("set")
	part.Events[0].Payload = []byte(`{"complete":false}`)
	s.mustEmit(t, part)
	if k := s.take(t); k != "" {
		t.Errorf("%q is delivered", k)
	}
	if st, err := s.Status(t.Context()); err != nil || st.Held != 1 {
		t.Errorf("%+v %v", st, err)
	}
	whole := events("set")
	whole.Events[0].Payload, whole.Events[0].Amends = []byte(`{"complete":true}`), true
	s.mustEmit(t, whole)
	e, ok, err := s.Next(t.Context())
	if err != nil || !ok || string(e.Payload) != `{"complete":true}` {
		t.Errorf("%+v %v", e, err)
	}
	if k := s.take(t); k != "set" {
		t.Errorf("%q", k)
	}
	s.mustEmit(t, whole)
	if k := s.take(t); k != "" {
		t.Errorf("amended after it was delivered, it comes again")
	}
	if s.bytes != 0 {
		t.Errorf("%d bytes are counted of nothing", s.bytes)
	}
}

// What is held goes on only when it is amended, so a spool full of that must take it.
func TestSpool_full_of_what_is_held_lets_it_be_completed(t *testing.T) {
	s := openAt(t, t.TempDir(), Options{Limit: 10, Judge: holdsParts})
	set := func(complete bool, key string) triggers.Batch {
		b := events(key)
		b.Events[0].Payload, b.Events[0].Amends = fmt.Appendf(nil, `{"complete":%t}`, complete), true
		return b
	}
	s.mustEmit(t, set(false, "one"))
	for _, more := range []triggers.Batch{set(false, "two"), {Events: append(set(true, "one").Events, events("two").Events...)}} {
		if err := s.Emit(t.Context(), more); !errors.Is(err, ErrFull) {
			t.Errorf("something new: %v", err)
		}
	}
	if k := s.take(t); k != "" {
		t.Errorf("%q of a batch that was refused", k)
	}
	s.mustEmit(t, set(true, "one"))
	if k := s.take(t); k != "one" {
		t.Errorf("%q", k)
	}
	s.mustEmit(t, set(true, "two"))
}

func TestSpool_is_bounded(t *testing.T) {
	s := openAt(t, t.TempDir(), Options{Limit: 1000})
	n := 0
	for ; ; n++ {
		err := s.Emit(t.Context(), events(fmt.Sprintf("%0100d", n)))
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil || n > 20 {
			t.Fatal(n, err)
		}
	}
	if err := s.Emit(t.Context(), triggers.Batch{Cursor: []byte("1")}); err != nil {
		t.Errorf("without events: %v", err)
	}
	dir := filepath.Dir(s.lock.Name())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir, Options{Limit: 1000})
	if err := s.Emit(t.Context(), events("x")); !errors.Is(err, ErrFull) {
		t.Errorf("opened again: %v", err)
	}
	for range n {
		select {
		case <-s.freed:
			t.Fatal("told of room too early or twice")
		default:
		}
		s.take(t)
		if s.roomy() {
			break
		}
	}
	select {
	case <-s.freed:
	default:
		t.Error("nobody is told of the room")
	}
	s.mustEmit(t, events("x"))
}

func TestOpen_refuses(t *testing.T) {
	t.Run("a spool that is in use", func(t *testing.T) {
		s := openNew(t)
		_, err := Open(t.Context(), filepath.Dir(s.lock.Name()), Options{Owner: "scans"})
		var locked *LockedError
		if !errors.As(err, &locked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d since 20", os.Getpid())) {
			t.Errorf("%v", err)
		}
	})
	t.Run("that of another trigger", func(t *testing.T) {
		s := openNew(t)
		dir := filepath.Dir(s.lock.Name())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), dir, Options{Owner: "else"})
		var other *OwnerError
		if !errors.As(err, &other) {
			t.Errorf("%v", err)
		}
	})
	t.Run("that of a newer program", func(t *testing.T) {
		s := openNew(t)
		if _, err := s.db.Exec("PRAGMA user_version = 2"); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(s.lock.Name())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, Options{Owner: "scans"}); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("%v", err)
		}
	})
	t.Run("to look at what is not there", func(t *testing.T) {
		if _, err := Read(t.Context(), t.TempDir()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
}

func TestHealth_is_stored_when_it_changes(t *testing.T) {
	s := openNew(t)
	s.report(triggers.Failing, "the folder is away")
	s.Trouble("no route")
	st, err := Read(t.Context(), filepath.Dir(s.lock.Name()))
	h := st.Health
	if err != nil || h.State != triggers.Failing || h.Reason != "the folder is away" || h.Trouble != "no route" || h.Since.IsZero() {
		t.Errorf("%+v %v", h, err)
	}
	since := s.Health().Since
	s.Trouble("no route")
	if s.Health().Since != since {
		t.Error("nothing has changed")
	}
}

// holdsParts is a judge as a kind has it.
func holdsParts(fields map[string]any, _ time.Time) triggers.Judgement {
	if fields["complete"] == false {
		return triggers.Judgement{Hold: "incomplete"}
	}
	return triggers.Judgement{}
}
