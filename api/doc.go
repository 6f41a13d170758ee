// Package api is the daemon's HTTP door. openapi.yaml comes first: api.gen.go is
// made from it (go generate), with a strict interface that Server implements; this
// is the only package that knows echo.
//
// A request goes through
//
//	net/http → observe → recover → authenticate (host, origin, who) → permit (role)
//	         → query (unknown parameters) → body (size, type, sum) → audit
//	         → generated wrapper → strict decoding (binder) → handler → generated answer
//
// and every error ends in one place, Server.fail, which asks the one table of
// problem.go for status and code.
//
// There are doors: the Unix socket, where the kernel says who comes and everybody is
// an admin, and addresses over TCP (Door), where a token says so. The table of roles
// is accesses; a request without a row in it doesn't exist. Tokens in use are in
// memory (keyring), so that a request needs no reading for them; the context of a
// request ends with its token. Who changes something is written down in the
// transaction of the change (store.WithAudit), or before the answer leaves.
//
// Goroutines: net/http has one per connection; Server.Serve owns one for each door,
// that accepts, and one that notes when tokens were used. Handlers start none. Those
// that wait (?wait=, follow=1, /v1/events) end when their client goes or its token
// ends, or when Serve begins to stop.
package api
