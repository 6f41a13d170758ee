package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/graph"
)

// GetStdout implements StrictServerInterface.
func (s *Server) GetStdout(ctx context.Context, r GetStdoutRequestObject) (GetStdoutResponseObject, error) {
	return s.openLog(ctx, r.ID, r.Electron, "stdout", logParams(r.Params))
}

// GetStderr implements StrictServerInterface.
func (s *Server) GetStderr(ctx context.Context, r GetStderrRequestObject) (GetStderrResponseObject, error) {
	return s.openLog(ctx, r.ID, r.Electron, "stderr", logParams(r.Params))
}

type logParams GetStdoutParams // both streams are read alike

// growth is how often a log that is followed is looked at.
const growth = 100 * time.Millisecond

// logs is one stream of an electron's attempts, as it is read by one request.
type logs struct {
	s        *Server
	ctx      context.Context
	dispatch string
	electron string
	stream   string
	n        int   // the attempt being read, 0 before the first
	only     bool  // no other attempt is wanted
	tail     int   // -1: everything
	from     int64 // bytes to pass over
	follow   bool
	rc       *http.ResponseController

	first *dispatcher.Log // of the attempt it begins with, when there is one
}

// openLog opens the log as far as it is there, so that what is wrong is an answer and
// not the end of one.
func (s *Server) openLog(ctx context.Context, id, electron, stream string, p logParams) (*logs, error) {
	d, e, err := s.electron(ctx, id, electron)
	if err != nil {
		return nil, err
	}
	l := &logs{s: s, ctx: ctx, dispatch: d.ID, electron: e.Name, stream: stream, tail: -1, from: int64(p.From), follow: p.Follow}
	if p.Tail != nil {
		l.tail = *p.Tail
	}
	if l.tail >= 0 && l.from > 0 {
		return nil, invalid(fieldError("from", codeWrongValue, "excludes tail"))
	}
	switch {
	case len(e.Attempts) > 0:
		l.n = e.Attempts[len(e.Attempts)-1].N
	case e.ReusedFrom != "":
		l.n = 1
	}
	if p.Attempt != "" {
		l.only = true
		if l.n = attemptNumber(e, p.Attempt); l.n == 0 {
			return nil, notFound("electron %s has no attempt %q; it has had %d", e.Name, p.Attempt, len(e.Attempts))
		}
	}
	if a := attemptN(e, l.n); a != nil {
		f, err := l.open(*a)
		if err != nil {
			return nil, err
		}
		l.first = &f
	}
	return l, nil
}

func attemptNumber(e graph.Electron, attempt string) int {
	n, err := strconv.Atoi(attempt)
	for _, a := range e.Attempts {
		if a.ID == attempt || err == nil && a.N == n {
			return a.N
		}
	}
	return 0
}

// VisitGetStdoutResponse implements GetStdoutResponseObject.
func (l *logs) VisitGetStdoutResponse(w http.ResponseWriter) error { return l.write(w) }

// VisitGetStderrResponse implements GetStderrResponseObject.
func (l *logs) VisitGetStderrResponse(w http.ResponseWriter) error { return l.write(w) }

func (l *logs) write(w http.ResponseWriter) error {
	l.rc = http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if l.first != nil {
			_ = l.first.Close()
		}
	}()
	if l.first != nil {
		at, err := l.first.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		w.Header().Set("Latticed-Attempt", strconv.Itoa(l.n))
		w.Header().Set("Latticed-Offset", strconv.FormatInt(at, 10))
	}
	w.WriteHeader(http.StatusOK)
	if l.follow {
		_ = l.rc.Flush()
	}
	changed, stop := l.s.o.Store.Watch(l.dispatch)
	defer stop()
	for {
		e, err := l.s.o.Store.Electron(l.ctx, l.dispatch, l.electron)
		if err != nil {
			return err
		}
		if a := attemptN(e, l.n); a != nil {
			if err := l.attempt(w, *a, changed); err != nil {
				return err
			}
			if !l.follow || l.only {
				return nil
			}
			l.n, l.tail, l.from = l.n+1, -1, 0 // a retry may follow
			continue
		}
		if l.n == 0 && len(e.Attempts) > 0 {
			l.n = 1
			continue
		}
		if !l.follow || e.Status.Terminal() {
			return nil
		}
		if err := l.wait(changed, nil); err != nil {
			return err
		}
	}
}

// attemptN finds an attempt; what a reused electron took over stands for its first.
func attemptN(e graph.Electron, n int) *graph.Attempt {
	if n == 1 && e.ReusedFrom != "" && len(e.Attempts) == 0 {
		return &graph.Attempt{N: 1, Status: e.Status}
	}
	for i := range e.Attempts {
		if e.Attempts[i].N == n {
			return &e.Attempts[i]
		}
	}
	return nil
}

// attempt writes what one attempt has written; following, until its end.
func (l *logs) attempt(w io.Writer, a graph.Attempt, changed <-chan struct{}) error {
	f, err := l.open(a)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for copied := false; ; {
		n, err := io.Copy(w, f)
		if err != nil {
			return err
		}
		if n > 0 {
			copied = true
			if err := l.rc.Flush(); err != nil {
				return err
			}
		}
		if !l.follow || !f.Growing || a.Status.Terminal() && copied {
			return nil
		}
		if err := l.wait(changed, time.After(growth)); err != nil {
			return err
		}
		// Its end is stored after its last byte: one more look then finds everything.
		if a, err = l.again(a); err != nil {
			return err
		}
		if !copied {
			// What was opened may have been opened before it began to write.
			_ = f.Close()
			if f, err = l.open(a); err != nil {
				return err
			}
		}
	}
}

// wait is for a change, or for the time to look again. When the daemon stops, the
// answer is not over: it breaks off, and can be taken up again.
func (l *logs) wait(changed <-chan struct{}, look <-chan time.Time) error {
	select {
	case <-look:
		return nil
	case <-changed:
		return nil
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	case <-l.s.stopping:
		return errStopping
	}
}

// again reads how the attempt stands now.
func (l *logs) again(a graph.Attempt) (graph.Attempt, error) {
	e, err := l.s.o.Store.Electron(l.ctx, l.dispatch, l.electron)
	if err != nil {
		return a, err
	}
	if now := attemptN(e, a.N); now != nil {
		return *now, nil
	}
	return a, notFound("attempt %d of electron %s is gone", a.N, l.electron)
}

// open opens the log of an attempt, stored or growing, where it is to be read from.
func (l *logs) open(a graph.Attempt) (dispatcher.Log, error) {
	if f := l.first; f != nil {
		l.first = nil
		return *f, nil
	}
	f, err := l.s.o.Dispatcher.Log(l.ctx, l.dispatch, l.electron, a.ID, l.stream)
	switch {
	case err != nil:
		return f, err
	case l.tail >= 0:
		err = seekTail(f, l.tail)
	case l.from > 0:
		_, err = f.Seek(l.from, io.SeekStart)
	}
	if err != nil {
		return f, errors.Join(err, f.Close())
	}
	if at, err := f.Seek(0, io.SeekCurrent); err == nil && l.tail >= 0 && at > 0 {
		l.tail, l.from = -1, at // of what there was when it was first seen
	}
	return f, nil
}
