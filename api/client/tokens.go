package client

import (
	"context"
	"net/url"
)

// Tokens lists those that were made.
func (c *Client) Tokens(ctx context.Context, q url.Values) (Answer[TokenPage], error) {
	return get[TokenPage](ctx, c, "/v1/tokens", q)
}

// CreateToken makes one. It has no idempotency key, since the answer holds the secret
// and must be kept nowhere: when it got lost the token is of no use, and revoked.
func (c *Client) CreateToken(ctx context.Context, t NewToken) (Answer[CreatedToken], error) {
	return post[CreatedToken](ctx, c, "/v1/tokens", t, false)
}

// RevokeToken ends one, by id or name.
func (c *Client) RevokeToken(ctx context.Context, idOrName string) error {
	return remove(ctx, c, "/v1/tokens/"+url.PathEscape(idOrName))
}

// Audit tells who changed what.
func (c *Client) Audit(ctx context.Context, q url.Values) (Answer[AuditPage], error) {
	return get[AuditPage](ctx, c, "/v1/audit", q)
}
