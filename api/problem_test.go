package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// What rooms below say comes out with its status and code, however often it is wrapped,
// and what only the daemon's people should read stays inside.
func TestProblem_of_every_error(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
		detail string
	}{
		{triggers.ErrNotFound, 404, "not_found", "while asked: not found"},
		{graph.ErrStale, 409, "state_changed", graph.ErrStale.Error()},
		{triggers.ErrRevised, 409, "revised", triggers.ErrRevised.Error()},
		{&triggers.ConflictError{Code: "trigger_failing", Message: "it can't"}, 409, "trigger_failing", "it can't"},
		{&triggers.ConflictError{Code: "no_answer", Message: "a file server is gone"}, 503, "no_answer", "a file server is gone"},
		{&graph.Invalid{Problems: []graph.Problem{{Path: "a", Message: "no"}, {Message: "never"}}}, 422, "invalid", "a: no (and 1 more)"},
		{&store.MissingAssetError{Path: "x.py", SHA256: "abc"}, 422, "invalid", "include.x.py: there is no asset abc; POST its bytes to /v1/assets first"},
		{store.ErrKeyReused, 422, "idempotency_key_reused", store.ErrKeyReused.Error()},
		{store.ErrCursor, 422, "invalid_cursor", store.ErrCursor.Error()},
		{store.ErrNoUpload, 409, "upload_missing", store.ErrNoUpload.Error()},
		{store.ErrTakenOver, 409, "upload_taken_over", store.ErrTakenOver.Error()},
		{store.ErrUploads, 429, "too_many_uploads", store.ErrUploads.Error()},
		{&store.OffsetError{Offset: 3, Received: 5}, 409, "wrong_offset", "the piece begins at byte 3, but 5 bytes are there: go on from those"},
		{&store.HashError{Declared: "ab", Actual: "cd"}, 422, "wrong_hash", "the bytes have SHA-256 cd, declared was ab"},
		{&store.RelError{Rel: "../x", Why: "leads out of its folder"}, 422, "invalid", `rel: the path "../x" leads out of its folder`},
		{store.ErrDiskFull, 507, "disk_full", store.ErrDiskFull.Error()},
		{store.ErrBusy, 503, "database_locked", store.ErrBusy.Error()},
		{store.ErrClosed, 503, "stopping", store.ErrClosed.Error()},
		{triggers.ErrStopped, 503, "stopping", triggers.ErrStopped.Error()},
		{errStopping, 503, "stopping", errStopping.Error()},
		{context.DeadlineExceeded, 503, "deadline", context.DeadlineExceeded.Error()},
		{&store.PanicError{Value: "secret"}, 500, "internal", "something went wrong here that nobody foresaw; the daemon's log says more"},
	} {
		log := &lockedBuffer{}
		s := bare(log)
		s.echo.GET("/x", func(echo.Context) error { return fmt.Errorf("while asked: %w", c.err) })
		w := ask(s, "/x")
		p := decodeAs[Problem](answer{t: t, body: w.Body.Bytes()})
		if w.Code != c.status || p.Code != c.code || p.Detail != c.detail || p.Status != c.status {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
		if logged := strings.Contains(log.String(), "request failed"); logged != (c.status >= 500 && c.code != "stopping") {
			t.Errorf("%v: logged %v", c.err, logged)
		}
		if again := w.Header().Get("Retry-After") != ""; again != (c.status == 503) {
			t.Errorf("%v: Retry-After %v", c.err, again)
		}
	}
}
