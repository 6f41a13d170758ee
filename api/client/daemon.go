package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Whoami tells who the daemon thinks we are.
func (c *Client) Whoami(ctx context.Context) (Answer[Whoami], error) {
	return get[Whoami](ctx, c, "/v1/whoami", nil)
}

// Executors lists them.
func (c *Client) Executors(ctx context.Context) (Answer[ExecutorPage], error) {
	return get[ExecutorPage](ctx, c, "/v1/executors", nil)
}

// CheckExecutor tells whether one would work.
func (c *Client) CheckExecutor(ctx context.Context, name string) (Answer[ExecutorCheck], error) {
	return post[ExecutorCheck](ctx, c, "/v1/executors/"+url.PathEscape(name)+"/check", nil, false)
}

// Change is one server-sent event.
type Change struct {
	ID   string          `json:"seq"`
	Kind string          `json:"kind"` // dispatch, trigger, event, firing or reset
	Data json.RawMessage `json:"data"`
}

// Changes follows what changes, from after the sequence number last (empty: from
// now), until f or ctx ends it or the daemon goes away.
func (c *Client) Changes(ctx context.Context, last string, f func(Change) error) error {
	h := http.Header{}
	if last != "" {
		h.Set("Last-Event-ID", last)
	}
	body, err := c.open(ctx, "/v1/events", nil, h)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	err = readChanges(body, f)
	var own *callbackError
	switch {
	case errors.As(err, &own):
		return own.error
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return &Unreachable{Server: c.server, Err: err}
}

type callbackError struct{ error }

func (e *callbackError) Unwrap() error { return e.error }

const maxLine = 64 << 20

// readChanges reads the text/event-stream format.
func readChanges(r io.Reader, f func(Change) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var c Change
	for lines.Scan() {
		field, v, _ := strings.Cut(lines.Text(), ":")
		v = strings.TrimPrefix(v, " ")
		switch {
		case lines.Text() == "":
			if c.Data != nil {
				if err := f(c); err != nil {
					return &callbackError{err}
				}
			}
			c = Change{ID: c.ID}
		case field == "id":
			c.ID = v
		case field == "event":
			c.Kind = v
		case field == "data":
			c.Data = append(c.Data, v...)
		}
	}
	return lines.Err()
}
