package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// StoreLattice stores a document (JSON) under its name.
func (c *Client) StoreLattice(ctx context.Context, document []byte) (Answer[Lattice], error) {
	return call[Lattice](ctx, c, request{
		method: http.MethodPost, path: "/v1/lattices",
		contentType: "application/json", body: document, key: true,
	})
}

// Lattice reads one by name or id.
func (c *Client) Lattice(ctx context.Context, nameOrID string) (Answer[Lattice], error) {
	return get[Lattice](ctx, c, "/v1/lattices/"+url.PathEscape(nameOrID), nil)
}

// Lattices lists the stored names.
func (c *Client) Lattices(ctx context.Context, q url.Values) (Answer[LatticePage], error) {
	return get[LatticePage](ctx, c, "/v1/lattices", q)
}

// PutAsset stores bytes.
func (c *Client) PutAsset(ctx context.Context, r io.Reader) (Answer[Asset], error) {
	return call[Asset](ctx, c, request{
		method: http.MethodPost, path: "/v1/assets",
		contentType: "application/octet-stream", stream: r,
	})
}

// Include reads a file that is packed into a lattice.
func (c *Client) Include(ctx context.Context, nameOrID, path string) (io.ReadCloser, error) {
	return c.open(ctx, "/v1/lattices/"+url.PathEscape(nameOrID)+"/include", url.Values{"path": {path}}, nil)
}
