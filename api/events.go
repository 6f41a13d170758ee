package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/latticed/latticed/store"
)

const (
	heartbeat = 15 * time.Second
	eventPage = 200 // changes read at a time
)

// StreamEvents implements StrictServerInterface.
func (s *Server) StreamEvents(ctx context.Context, r StreamEventsRequestObject) (StreamEventsResponseObject, error) {
	seq := s.o.Store.Seq()
	if last := r.Params.LastEventID; last != "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return nil, invalid(fieldError("Last-Event-ID", codeWrongValue, "must be a sequence number, not %q", last))
		}
		seq = n
	}
	return &stream{s: s, ctx: ctx, seq: seq}, nil
}

// stream is one follower of what changes. It belongs to its request's goroutine.
type stream struct {
	s   *Server
	ctx context.Context
	seq int64 // the last one that was sent
	w   http.ResponseWriter
	rc  *http.ResponseController
}

// VisitStreamEventsResponse implements StreamEventsResponseObject.
func (f *stream) VisitStreamEventsResponse(w http.ResponseWriter) error {
	f.w, f.rc = w, http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	changed, stop := f.s.o.Store.WatchAll()
	defer stop()
	// An id alone tells the client where to resume, should nothing come before it
	// loses us.
	if err := f.send("id: %d\nretry: 2000\n\n", f.seq); err != nil {
		return nil // the client has gone, there is nobody to tell
	}
	beat := time.NewTicker(f.s.o.Heartbeat)
	defer beat.Stop()
	for {
		if err := f.catchUp(); err != nil {
			return err
		}
		select {
		case <-changed:
			beat.Reset(f.s.o.Heartbeat)
		case <-beat.C:
			if err := f.send(": %d\n\n", f.seq); err != nil {
				return nil // the client has gone
			}
		case <-f.ctx.Done():
			return nil
		case <-f.s.stopping:
			return nil
		}
	}
}

// catchUp sends everything that changed since the last time.
func (f *stream) catchUp() error {
	for {
		changes, reset, err := f.s.o.Store.ChangedSince(f.ctx, f.seq, eventPage)
		if err != nil {
			return err
		}
		if reset {
			f.seq = f.s.o.Store.Seq()
			if err := f.send("event: reset\nid: %d\ndata: {\"seq\":%d}\n\n", f.seq, f.seq); err != nil {
				return err
			}
			continue
		}
		for _, c := range changes {
			if err := f.change(c); err != nil {
				return err
			}
		}
		if len(changes) < eventPage {
			return nil
		}
	}
}

func (f *stream) change(c store.Change) error {
	var v any
	switch {
	case c.Deleted:
		v = map[string]any{"id": c.ID, "seq": c.Seq, "deleted": true}
	case c.Dispatch != nil:
		v = dispatchOf(*c.Dispatch)
	case c.Trigger != nil:
		v = f.s.triggerOf(*c.Trigger, nil)
	case c.Event != nil:
		v = eventOf(*c.Event)
	case c.Firing != nil:
		v = firingOf(*c.Firing)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("render %s %s: %w", c.Kind, c.ID, err)
	}
	f.seq = c.Seq
	return f.send("event: %s\nid: %d\ndata: %s\n\n", c.Kind, c.Seq, data)
}

func (f *stream) send(format string, args ...any) error {
	if _, err := fmt.Fprintf(f.w, format, args...); err != nil {
		return err
	}
	return f.rc.Flush()
}
