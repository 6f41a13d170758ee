package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// PreviewTrigger says what a trigger with this spec would do; nothing is stored.
func (c *Client) PreviewTrigger(ctx context.Context, spec json.RawMessage) (Answer[Preview], error) {
	return preview[Preview](ctx, c, http.MethodPost, "/v1/triggers", spec)
}

// PreviewPut says what PutTrigger would lead to.
func (c *Client) PreviewPut(ctx context.Context, name string, spec json.RawMessage) (Answer[Preview], error) {
	return preview[Preview](ctx, c, http.MethodPut, triggerPath(name), spec)
}

// PreviewPatch says what PatchTrigger would lead to.
func (c *Client) PreviewPatch(ctx context.Context, name string, p json.RawMessage) (Answer[Preview], error) {
	return preview[Preview](ctx, c, http.MethodPatch, triggerPath(name), p)
}

// TestTrigger says what a trigger would do now.
func (c *Client) TestTrigger(ctx context.Context, name string) (Answer[Preview], error) {
	return post[Preview](ctx, c, triggerPath(name, "test"), nil, false)
}

// PutTrigger makes the trigger of this name be as spec says; revision 1 is a new one.
func (c *Client) PutTrigger(ctx context.Context, name string, spec json.RawMessage) (Answer[Trigger], error) {
	return say[Trigger](ctx, c, request{method: http.MethodPut, path: triggerPath(name), key: true}, spec)
}

// RetryEvents lets events that ended without a dispatch come again.
func (c *Client) RetryEvents(ctx context.Context, name string, r Retry) (Answer[Retried], error) {
	return post[Retried](ctx, c, triggerPath(name, "retry"), r, true)
}

// BackfillTrigger makes events of what is there already, or counts them.
func (c *Client) BackfillTrigger(ctx context.Context, name string, b Backfill) (Answer[Backfilled], error) {
	return post[Backfilled](ctx, c, triggerPath(name, "backfill"), b, !b.DryRun)
}

// ExplainPath says how a path stands with the triggers that watch it, or, when trigger
// is not empty, with that one. A limit of 0 is the daemon's; after is the next of the
// page before.
func (c *Client) ExplainPath(ctx context.Context, path, trigger string, limit int, after string) (Answer[ExplanationPage], error) {
	q := url.Values{"path": {path}}
	if trigger != "" {
		q.Set("trigger", trigger)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	if after != "" {
		q.Set("after", after)
	}
	return get[ExplanationPage](ctx, c, "/v1/explain", q)
}

// ExplainDispatch says what made a dispatch, an id or a number, and what it waits for.
func (c *Client) ExplainDispatch(ctx context.Context, id string) (Answer[ExplanationPage], error) {
	return get[ExplanationPage](ctx, c, "/v1/explain", url.Values{"dispatch": {id}})
}

// TriggerHook tells where a webhook is delivered to, which is a secret, and what a
// delivery needs.
func (c *Client) TriggerHook(ctx context.Context, name string) (Answer[Hook], error) {
	return get[Hook](ctx, c, triggerPath(name, "hook"), nil)
}
