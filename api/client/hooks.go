package client

import (
	"context"
	"net/http"
	"net/url"
)

// Deliver posts JSON to a webhook trigger: to its name, or its secret path. With the
// same id it is an event once, however often it is posted.
func (c *Client) Deliver(ctx context.Context, hook, id string, body []byte) (Answer[Delivered], error) {
	return call[Delivered](ctx, c, request{
		method: http.MethodPost, path: "/v1/hooks/" + url.PathEscape(hook),
		contentType: "application/json", body: body, header: http.Header{"Idempotency-Key": {id}},
	})
}
