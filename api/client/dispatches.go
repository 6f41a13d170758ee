package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

func dispatchPath(id string, more ...string) string {
	p := "/v1/dispatches/" + url.PathEscape(id)
	for _, m := range more {
		p += "/" + url.PathEscape(m)
	}
	return p
}

// CreateDispatch runs a lattice.
func (c *Client) CreateDispatch(ctx context.Context, d NewDispatch) (Answer[Dispatch], error) {
	return post[Dispatch](ctx, c, "/v1/dispatches", d, true)
}

// Redispatch runs the lattice of a dispatch again.
func (c *Client) Redispatch(ctx context.Context, id string, d NewRedispatch) (Answer[Dispatch], error) {
	return post[Dispatch](ctx, c, dispatchPath(id, "redispatch"), d, true)
}

// PlanRedispatch asks what Redispatch would do.
func (c *Client) PlanRedispatch(ctx context.Context, id string, d NewRedispatch) (Answer[RedispatchPlan], error) {
	return preview[RedispatchPlan](ctx, c, http.MethodPost, dispatchPath(id, "redispatch"), d)
}

// Dispatch reads one; with wait, when it has ended or wait is over.
func (c *Client) Dispatch(ctx context.Context, id string, wait time.Duration) (Answer[Dispatch], error) {
	q := url.Values{}
	if wait > 0 {
		q.Set("wait", wait.String())
	}
	return get[Dispatch](ctx, c, dispatchPath(id), q)
}

// Dispatches lists them by the filters of the route.
func (c *Client) Dispatches(ctx context.Context, q url.Values) (Answer[DispatchPage], error) {
	return get[DispatchPage](ctx, c, "/v1/dispatches", q)
}

// PatchDispatch changes labels, note or keep.
func (c *Client) PatchDispatch(ctx context.Context, id string, p DispatchPatch) (Answer[Dispatch], error) {
	return patch[Dispatch](ctx, c, dispatchPath(id), p)
}

// DeleteDispatch removes one.
func (c *Client) DeleteDispatch(ctx context.Context, id string) error {
	return remove(ctx, c, dispatchPath(id))
}

// StartDispatch starts one that was made with disable_run.
func (c *Client) StartDispatch(ctx context.Context, id string) (Answer[Dispatch], error) {
	return post[Dispatch](ctx, c, dispatchPath(id, "start"), nil, false)
}

// CancelDispatch asks to cancel one, or electrons of it with all that needs them.
func (c *Client) CancelDispatch(ctx context.Context, id string, electrons ...string) (Answer[Dispatch], error) {
	var body any
	if len(electrons) > 0 {
		body = Cancel{Electrons: electrons}
	}
	return post[Dispatch](ctx, c, dispatchPath(id, "cancel"), body, false)
}

const waitStep = 30 * time.Second

// Wait waits for the end of a dispatch, also over restarts of the daemon.
func (c *Client) Wait(ctx context.Context, id string) (Answer[Dispatch], error) {
	var away absence
	for {
		a, err := c.Dispatch(ctx, id, waitStep)
		switch {
		case err == nil && Terminal(a.Value.Status):
			return a, nil
		case err == nil:
			away.over()
			continue
		}
		if err := away.forgive(ctx, err); err != nil {
			return a, err
		}
	}
}

// Terminal tells whether a dispatch or an electron has ended.
func Terminal(status string) bool {
	switch status {
	case "completed", "failed", "cancelled", "skipped":
		return true
	}
	return false
}

// Electron reads one electron.
func (c *Client) Electron(ctx context.Context, id, electron string) (Answer[Electron], error) {
	return get[Electron](ctx, c, dispatchPath(id, "electrons", electron), nil)
}

// Electrons lists the electrons of a dispatch.
func (c *Client) Electrons(ctx context.Context, id string, q url.Values) (Answer[ElectronPage], error) {
	return get[ElectronPage](ctx, c, dispatchPath(id, "electrons"), q)
}

// Log reads stdout or stderr of an electron; q holds follow, tail and attempt.
func (c *Client) Log(ctx context.Context, id, electron, stream string, q url.Values) (io.ReadCloser, error) {
	return c.open(ctx, dispatchPath(id, "electrons", electron, stream), q, nil)
}

// File reads a kept output of an electron.
func (c *Client) File(ctx context.Context, id, electron, file string) (io.ReadCloser, error) {
	return c.open(ctx, dispatchPath(id, "electrons", electron, "files", file), nil, nil)
}

// ElectronResult reads the whole result of an electron.
func (c *Client) ElectronResult(ctx context.Context, id, electron string) (io.ReadCloser, error) {
	return c.open(ctx, dispatchPath(id, "electrons", electron, "result"), nil, nil)
}
