package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// Codes of problems that this package finds itself; those of documents and states
// come with the errors of the rooms below.
const (
	codeInvalid     = "invalid"
	codeInvalidJSON = "invalid_json"
	codeUnknownKey  = "unknown_key"
	codeMissing     = "missing"
	codeDuplicate   = "duplicate_key"
	codeWrongType   = "wrong_type"
	codeWrongValue  = "wrong_value"
	codeTooLarge    = "too_large"
	codeNotFound    = "not_found"
	codeNoRoute     = "no_route"
	codeInternal    = "internal"
	codeStopping    = "stopping"
	codeBusy        = "busy"
	codeNoAnswer    = "no_answer" // a file server is gone
	codeDiskFull    = "disk_full"
)

// Error is an error with its answer: status, code, and what to say.
type Error struct {
	Status int
	Code   string
	Detail string
	Errors []FieldError
	Found  int // with confirm_required

	RetryAfter time.Duration // what the header of that name says, in seconds; 0: nothing, or 1 with 503
}

func (e *Error) Error() string { return e.Detail }

// invalid says that the content of a request can't be used.
func invalid(errs ...FieldError) *Error {
	detail := "the request can't be used"
	if len(errs) > 0 {
		detail = said(errs[0])
	}
	if n := len(errs); n > 1 {
		detail += fmt.Sprintf(" (and %d more)", n-1)
	}
	return &Error{Status: http.StatusUnprocessableEntity, Code: codeInvalid, Detail: detail, Errors: errs}
}

func said(e FieldError) string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// fieldError is one finding without a position.
func fieldError(path, code, format string, args ...any) FieldError {
	return FieldError{Path: path, Code: code, Message: fmt.Sprintf(format, args...)}
}

// notFound says what there is none of.
func notFound(format string, args ...any) *Error {
	return &Error{Status: http.StatusNotFound, Code: codeNotFound, Detail: fmt.Sprintf(format, args...)}
}

// sentinels is the table from an error to its status and code.
func sentinels() []struct {
	err    error
	status int
	code   string
} {
	return []struct {
		err    error
		status int
		code   string
	}{
		{triggers.ErrNotFound, http.StatusNotFound, codeNotFound},
		{graph.ErrStale, http.StatusConflict, "state_changed"},
		{triggers.ErrRevised, http.StatusConflict, "revised"},
		{store.ErrKeyReused, http.StatusUnprocessableEntity, "idempotency_key_reused"},
		{store.ErrCursor, http.StatusUnprocessableEntity, "invalid_cursor"},
		{store.ErrNoUpload, http.StatusConflict, "upload_missing"},
		{store.ErrTakenOver, http.StatusConflict, "upload_taken_over"},
		{store.ErrUploads, http.StatusTooManyRequests, "too_many_uploads"},
		{store.ErrDiskFull, http.StatusInsufficientStorage, codeDiskFull},
		{store.ErrBusy, http.StatusServiceUnavailable, "database_locked"},
		{triggers.ErrStopped, http.StatusServiceUnavailable, codeStopping},
		{store.ErrClosed, http.StatusServiceUnavailable, codeStopping},
		{errStopping, http.StatusServiceUnavailable, codeStopping},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "deadline"},
	}
}

// judge finds the answer to an error; nil when nobody has foreseen it.
func judge(err error) *Error {
	var own *Error
	var doc *graph.Invalid
	var conflict *triggers.ConflictError
	var missing *store.MissingAssetError
	var size *http.MaxBytesError
	var wrongHash *store.HashError
	var offset *store.OffsetError
	var rel *store.RelError
	var route *echo.HTTPError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &doc):
		return invalid(fieldErrors(doc)...)
	case errors.As(err, &conflict) && (conflict.Code == codeBusy || conflict.Code == codeNoAnswer):
		return &Error{Status: http.StatusServiceUnavailable, Code: conflict.Code, Detail: conflict.Message}
	case errors.As(err, &conflict):
		return &Error{Status: http.StatusConflict, Code: conflict.Code, Detail: conflict.Message, Found: conflict.Found}
	case errors.As(err, &missing):
		return invalid(fieldError("include."+missing.Path, "missing_asset", "there is no asset %s; POST its bytes to /v1/assets first", missing.SHA256))
	case errors.As(err, &wrongHash):
		return &Error{Status: http.StatusUnprocessableEntity, Code: "wrong_hash", Detail: wrongHash.Error()}
	case errors.As(err, &offset):
		return &Error{Status: http.StatusConflict, Code: "wrong_offset", Detail: offset.Error()}
	case errors.As(err, &rel):
		return invalid(fieldError("rel", codeWrongValue, "%s", rel.Error()))
	case errors.Is(err, store.ErrTooLong):
		return invalid(fieldError("size", codeWrongValue, "%s", store.ErrTooLong.Error()))
	case errors.As(err, &size):
		return &Error{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge, Detail: fmt.Sprintf("the body is over %d bytes", size.Limit)}
	case errors.As(err, &route):
		return routeError(route)
	}
	for _, s := range sentinels() {
		if errors.Is(err, s.err) {
			detail := s.err.Error()
			if s.code == codeNotFound {
				detail = err.Error() // says what
			}
			return &Error{Status: s.status, Code: s.code, Detail: detail}
		}
	}
	return nil
}

func routeError(e *echo.HTTPError) *Error {
	switch e.Code {
	case http.StatusNotFound:
		return &Error{Status: e.Code, Code: codeNoRoute, Detail: "there is no such route; /openapi.json lists them"}
	case http.StatusMethodNotAllowed:
		return &Error{Status: e.Code, Code: "method_not_allowed", Detail: "this route does not take this method; /openapi.json lists them"}
	default:
		return &Error{Status: e.Code, Code: codeInvalid, Detail: fmt.Sprint(e.Message)}
	}
}

func fieldErrors(doc *graph.Invalid) []FieldError {
	out := make([]FieldError, 0, len(doc.Problems))
	for _, p := range doc.Problems {
		out = append(out, FieldError{Path: p.Path, Line: p.Line, Column: p.Column, Code: p.Code, Message: p.Message})
	}
	return out
}

func (e *Error) problem() Problem {
	return Problem{
		Type:   "urn:latticed:problem:" + e.Code,
		Title:  http.StatusText(e.Status),
		Status: e.Status,
		Detail: e.Detail,
		Code:   e.Code,
		Errors: e.Errors,
		Found:  e.Found,
	}
}
