package client

import (
	"context"
	"io"
	"net/url"
	"strconv"
)

// Doctor asks the daemon to look at what it lives on.
func (c *Client) Doctor(ctx context.Context) (Answer[Doctor], error) {
	return get[Doctor](ctx, c, "/v1/doctor", nil)
}

// Prune removes history, or says what would go.
func (c *Client) Prune(ctx context.Context, p Prune) (Answer[Pruned], error) {
	return post[Pruned](ctx, c, "/v1/prune", p, false)
}

// Backup returns the tar of a backup; the caller closes it.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	return c.open(ctx, "/v1/backup", nil, nil)
}

// Hold returns a page of how the hold after a restore stands.
func (c *Client) Hold(ctx context.Context, limit int, after string) (Answer[Hold], error) {
	q := url.Values{}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	if after != "" {
		q.Set("after", after)
	}
	return get[Hold](ctx, c, "/v1/hold", q)
}

// EndHold lets the daemon go on.
func (c *Client) EndHold(ctx context.Context) error {
	return remove(ctx, c, "/v1/hold")
}
