// Package api is the daemon's HTTP door. openapi.yaml comes first: api.gen.go is
// made from it (go generate), with a strict interface that Server implements; this
// is the only package that knows echo.
//
// A request goes through
//
//	net/http → observe → recover → query (unknown parameters) → body (size, type)
//	         → generated wrapper → strict decoding (binder) → handler → generated answer
//
// and every error ends in one place, Server.fail, which asks the one table of
// problem.go for status and code.
//
// Goroutines: net/http has one per connection; Server.Serve owns the one that
// accepts. Handlers start none. Those that wait (?wait=, follow=1, /v1/events) end
// when their client goes, or when Serve begins to stop.
package api
