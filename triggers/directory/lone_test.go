package directory

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"strings"
	"testing"

	"github.com/latticed/latticed/triggers"
)

// lone is a source that runs when it is told to, with an inventory in memory.
type lone struct {
	*testing.T
	source   *source
	cursor   json.RawMessage
	entities map[string]triggers.Change
	keys     map[string]bool
	events   []triggers.Event
	state    triggers.State
	reason   string
}

// lone makes a source on the world's folder; fields are JSON.
func (w *world) lone(fields string) *lone {
	w.Helper()
	return newLone(w.T, w.hub, w.dir, fields)
}

func newLone(t *testing.T, h *hub, dir, fields string) *lone {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(`{`+fields+`}`), &m); err != nil {
		t.Fatal(err)
	}
	m["dir_path"] = dir
	made, err := triggers.Make(h.make, m)
	if err != nil {
		t.Fatal(err)
	}
	return &lone{T: t, source: made.Source.(*source), entities: map[string]triggers.Change{}, keys: map[string]bool{}}
}

func (l *lone) close() {
	if err := l.source.Close(); err != nil {
		l.Error(err)
	}
}

func (l *lone) watch() *watch { return l.source.kept }

// run lets the source do what there is to do now.
func (l *lone) run() {
	l.Helper()
	var until *triggers.UntilError
	if err := l.source.Run(context.Background(), l.from(), l.emit); !errors.As(err, &until) {
		l.Fatal(err)
	}
}

func (l *lone) from() triggers.From {
	return triggers.From{
		Cursor: l.cursor,
		Entities: func(_ context.Context, f func(triggers.Change) error) error {
			for _, c := range l.entities {
				if err := f(c); err != nil {
					return err
				}
			}
			return nil
		},
		Health: func(s triggers.State, reason string) { l.state, l.reason = s, reason },
		Wake:   func() {},
	}
}

func (l *lone) emit(_ context.Context, b triggers.Batch) error {
	if b.Cursor != nil {
		l.cursor = b.Cursor
	}
	for _, c := range b.Entities {
		if c.Deleted {
			delete(l.entities, string(c.Key))
		} else {
			l.entities[string(c.Key)] = c
		}
	}
	for _, e := range b.Events {
		if !l.keys[e.Key] {
			l.keys[e.Key] = true
			l.events = append(l.events, e)
		}
	}
	return nil
}

// told lists the events as "kind path", sorted.
func (l *lone) told() string {
	var out []string
	for _, e := range l.events {
		name, _, _ := strings.Cut(e.Key, "#")
		out = append(out, e.Kind+" "+name)
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}
