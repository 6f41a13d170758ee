package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// limits are how long the other end of a connection may stand still. One that is slow
// but moves, or has much to send or to read, is not cut off.
type limits struct {
	body  time.Duration // a JSON or YAML body as a whole
	chunk time.Duration // between two pieces of an upload
	write time.Duration // until a piece of an answer is taken

	refused time.Duration // a body of a request that is answered without it
}

func defaultLimits() limits {
	return limits{body: 2 * time.Minute, chunk: 2 * time.Minute, write: 20 * time.Second, refused: 5 * time.Second}
}

// answerPiece is what must be taken in one go.
const answerPiece = 256 << 10

// steadyWriter gives each piece of an answer its own time.
type steadyWriter struct {
	http.ResponseWriter
	rc    *http.ResponseController
	limit time.Duration
}

func (w *steadyWriter) extend() { _ = w.rc.SetWriteDeadline(time.Now().Add(w.limit)) }

func (w *steadyWriter) Write(p []byte) (n int, err error) {
	for {
		w.extend()
		m, err := w.ResponseWriter.Write(p[n:min(len(p), n+answerPiece)])
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// FlushError is what http.ResponseController looks for.
func (w *steadyWriter) FlushError() error {
	w.extend()
	return w.rc.Flush()
}

// Unwrap is what http.ResponseController looks for.
func (w *steadyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// steadyBody is the body of a request, of which the next piece has to come in time.
type steadyBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	limit time.Duration
	whole bool // the time is for all of it
}

// begin lets the time run, also for a body that nobody is going to read.
func (b *steadyBody) begin() { _ = b.rc.SetReadDeadline(time.Now().Add(b.limit)) }

func (b *steadyBody) Read(p []byte) (int, error) {
	if !b.whole {
		b.begin()
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		_ = b.rc.SetReadDeadline(time.Time{}) // whoever answers may take longer
	case errors.As(err, &tooLarge):
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &Error{Status: http.StatusRequestTimeout, Code: "body_timeout", Detail: fmt.Sprintf("the body did not come within %s", b.limit)}
	default:
		err = &Error{Status: http.StatusBadRequest, Code: "body_broken", Detail: fmt.Sprintf("the body could not be read: %v", err)}
	}
	return n, err
}
