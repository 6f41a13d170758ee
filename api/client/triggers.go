package client

import (
	"context"
	"encoding/json"
	"net/url"
)

func triggerPath(name string, more ...string) string {
	p := "/v1/triggers/" + url.PathEscape(name)
	for _, m := range more {
		p += "/" + m
	}
	return p
}

// CreateTrigger registers a trigger.
func (c *Client) CreateTrigger(ctx context.Context, spec json.RawMessage) (Answer[Trigger], error) {
	return post[Trigger](ctx, c, "/v1/triggers", spec, true)
}

// Trigger reads one by name or id; effective adds every setting with its origin.
func (c *Client) Trigger(ctx context.Context, name string, effective bool) (Answer[Trigger], error) {
	q := url.Values{}
	if effective {
		q.Set("effective", "1")
	}
	return get[Trigger](ctx, c, triggerPath(name), q)
}

// Triggers lists them.
func (c *Client) Triggers(ctx context.Context, q url.Values) (Answer[TriggerPage], error) {
	return get[TriggerPage](ctx, c, "/v1/triggers", q)
}

// PatchTrigger edits one.
func (c *Client) PatchTrigger(ctx context.Context, name string, p json.RawMessage) (Answer[Trigger], error) {
	return patch[Trigger](ctx, c, triggerPath(name), p)
}

// DeleteTrigger removes one.
func (c *Client) DeleteTrigger(ctx context.Context, name string) error {
	return remove(ctx, c, triggerPath(name))
}

// PauseTrigger holds the events of one.
func (c *Client) PauseTrigger(ctx context.Context, name string) (Answer[Trigger], error) {
	return post[Trigger](ctx, c, triggerPath(name, "pause"), nil, false)
}

// ResumeTrigger ends a pause; backlog is fire, skip or empty.
func (c *Client) ResumeTrigger(ctx context.Context, name, backlog string) (Answer[Trigger], error) {
	return post[Trigger](ctx, c, triggerPath(name, "resume"), Resume{Backlog: backlog}, false)
}

// FireTrigger makes an event by hand, or takes one of the trigger's, and fires it.
func (c *Client) FireTrigger(ctx context.Context, name string, f Fire) (Answer[Firing], error) {
	return post[Firing](ctx, c, triggerPath(name, "fire"), f, true)
}

// TriggerEvents lists what a trigger saw.
func (c *Client) TriggerEvents(ctx context.Context, name string, q url.Values) (Answer[EventPage], error) {
	return get[EventPage](ctx, c, triggerPath(name, "events"), q)
}

// TriggerFirings lists what was decided.
func (c *Client) TriggerFirings(ctx context.Context, name string, q url.Values) (Answer[FiringPage], error) {
	return get[FiringPage](ctx, c, triggerPath(name, "firings"), q)
}
