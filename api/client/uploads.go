package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Upload tells how much of an asset is there that we upload.
func (c *Client) Upload(ctx context.Context, sha256 string) (Answer[Upload], error) {
	return get[Upload](ctx, c, "/v1/assets/"+url.PathEscape(sha256), nil)
}

// PutPiece sends the part of an upload that begins at offset; sha256 and size are those
// of the whole. The answer tells how much is there.
func (c *Client) PutPiece(ctx context.Context, sha256 string, size, offset int64, piece []byte) (Answer[Upload], error) {
	q := url.Values{"sha256": {sha256}, "size": {strconv.FormatInt(size, 10)}, "offset": {strconv.FormatInt(offset, 10)}}
	a, err := call[Upload](ctx, c, request{
		method: http.MethodPost, path: "/v1/assets", query: q,
		contentType: "application/octet-stream", body: piece,
	})
	if err == nil && a.Value.Received == 0 && offset+int64(len(piece)) == size { // an asset, which has no such field
		a.Value.Received, a.Value.Complete = size, true
	}
	return a, err
}
