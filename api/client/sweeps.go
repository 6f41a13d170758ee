package client

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// CreateSweep makes a sweep; with dry it is only said what it would be.
func (c *Client) CreateSweep(ctx context.Context, s NewSweep, dry bool) (Answer[Sweep], error) {
	if dry {
		return preview[Sweep](ctx, c, http.MethodPost, "/v1/sweeps", s)
	}
	return post[Sweep](ctx, c, "/v1/sweeps", s, true)
}

// BulkCancel asks all that a filter finds to end.
func (c *Client) BulkCancel(ctx context.Context, b BulkCancel) (Answer[BulkDone], error) {
	return post[BulkDone](ctx, c, "/v1/bulk/cancel", b, !b.DryRun)
}

// BulkRedispatch runs all that a filter finds again.
func (c *Client) BulkRedispatch(ctx context.Context, b BulkRedispatch) (Answer[BulkDone], error) {
	return post[BulkDone](ctx, c, "/v1/bulk/redispatch", b, !b.DryRun)
}

// countEvery is how often WaitAll counts what is left.
const countEvery = time.Second

// WaitAll waits until all dispatches that a filter finds have ended, also over restarts
// of the daemon. tell hears now and then how many have not; nil: nobody cares.
func (c *Client) WaitAll(ctx context.Context, q url.Values, tell func(left int)) error {
	var away absence
	var counted time.Time
	wait := waitStep
	if tell != nil {
		wait = countEvery
	}
	for {
		over, err := c.waitSome(ctx, q, wait, func() error {
			if tell == nil || time.Since(counted) < countEvery {
				return nil
			}
			n := 0
			err := c.EachDispatch(ctx, unfinished(q), func(Dispatch) bool { n++; return true })
			if counted = time.Now(); err == nil {
				tell(n)
			}
			return err
		})
		switch {
		case over:
			return nil
		case err == nil:
			away.over()
			continue
		}
		if err := away.forgive(ctx, err); err != nil {
			return err
		}
	}
}

// waitSome waits for the end of the one that was made first of those that go on, which
// is the likeliest to end first; over: there is none.
func (c *Client) waitSome(ctx context.Context, q url.Values, wait time.Duration, before func() error) (over bool, err error) {
	first := unfinished(q)
	first.Set("limit", "1")
	a, err := c.Dispatches(ctx, first)
	if err != nil || len(a.Value.Items) == 0 {
		return err == nil, err
	}
	if err := before(); err != nil {
		return false, err
	}
	_, err = c.Dispatch(ctx, a.Value.Items[0].ID, wait)
	return false, err
}

func unfinished(q url.Values) url.Values {
	all := maps.Clone(q)
	all["status"] = []string{"new", "pending", "running"}
	all.Set("order", "oldest")
	return all
}

// pageSize is the largest page that the daemon gives.
const pageSize = "500"

// EachDispatch reads all dispatches that a filter finds, page by page, until f says that
// it has enough.
func (c *Client) EachDispatch(ctx context.Context, q url.Values, f func(Dispatch) bool) error {
	page := maps.Clone(q)
	page.Set("limit", pageSize)
	for {
		a, err := c.Dispatches(ctx, page)
		if err != nil {
			return err
		}
		for _, d := range a.Value.Items {
			if !f(d) {
				return nil
			}
		}
		if a.Value.Next == nil || *a.Value.Next == "" {
			return nil
		}
		page.Set("after", *a.Value.Next)
	}
}
