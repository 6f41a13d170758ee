package triggertest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/latticed/latticed/triggers"
)

// Event implements triggers.Ledger.
func (l *Ledger) Event(_ context.Context, id, event string) (e triggers.Event, err error) {
	err = l.begin("Event")
	defer l.end("Event", &err)
	if err != nil {
		return e, err
	}
	if r := l.triggers[id]; r != nil {
		if e := r.event(event); e != nil {
			return *e, nil
		}
	}
	return e, fmt.Errorf("event %s: %w", event, triggers.ErrNotFound)
}

// event finds one by its id, nil when there is none.
func (r *row) event(id string) *triggers.Event {
	for _, e := range r.events {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// Known implements triggers.Ledger.
func (l *Ledger) Known(_ context.Context, id string, keys []string) (known []string, err error) {
	err = l.begin("Known")
	defer l.end("Known", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if r.keys[key] {
			known = append(known, key)
		}
	}
	return known, nil
}

// Past implements triggers.Ledger.
func (l *Ledger) Past(_ context.Context, id string, states []triggers.EventState, after int64, limit int) (es []triggers.Event, err error) {
	err = l.begin("Past")
	defer l.end("Past", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, e := range r.events {
		if len(es) < limit && e.Seq > after && slices.Contains(states, e.State) {
			es = append(es, *e)
		}
	}
	return es, nil
}

// About implements triggers.Ledger.
func (l *Ledger) About(_ context.Context, id, path string, limit int) (es []triggers.Event, err error) {
	err = l.begin("About")
	defer l.end("About", &err)
	if err != nil {
		return nil, err
	}
	r, err := l.row(id)
	if err != nil {
		return nil, err
	}
	for _, e := range slices.Backward(r.events) {
		if len(es) < limit && path != "" && pathOf(e.Payload) == path {
			es = append(es, *e)
		}
	}
	return es, nil
}

// pathOf is the path that a payload tells about.
func pathOf(payload json.RawMessage) string {
	var p struct {
		Path string `json:"path"`
		B64  string `json:"path_b64"`
	}
	if json.Unmarshal(payload, &p) != nil {
		return ""
	}
	if b, err := base64.StdEncoding.DecodeString(p.B64); err == nil && len(b) > 0 {
		return string(b)
	}
	return p.Path
}
