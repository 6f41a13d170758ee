package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"
)

const (
	awayPause = 250 * time.Millisecond
	awayFor   = time.Minute // how long the daemon may be away while somebody waits
)

// absence is how long the daemon has been away.
type absence struct{ since time.Time }

// forgive pauses and returns nil when the daemon only is away, and not for too long.
func (a *absence) forgive(ctx context.Context, err error) error {
	switch {
	case !away(err):
		return err
	case a.since.IsZero():
		a.since = time.Now()
	case time.Since(a.since) > awayFor:
		return err
	}
	return pause(ctx)
}

func (a *absence) over() { a.since = time.Time{} }

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(awayPause):
		return nil
	}
}

// follower reads one stream of an electron, one attempt after the other.
type follower struct {
	c                    *Client
	id, electron, stream string
	to                   io.Writer

	n    int    // the attempt being read; 0: none yet
	only string // the one that is wanted
	tail string
	from int64 // where it goes on in the attempt's text; -1: where tail says
	away absence
}

// FollowLog copies what an electron writes to w until it has ended, retries included,
// also over restarts of the daemon. attempt (number or id) and tail may be empty.
func (c *Client) FollowLog(ctx context.Context, id, electron, stream, attempt, tail string, w io.Writer) error {
	f := &follower{c: c, id: id, electron: electron, stream: stream, to: w, only: attempt, tail: tail, from: -1}
	for {
		more, err := f.next(ctx)
		if err == nil && more {
			err = f.copy(ctx)
		}
		switch {
		case err == nil && (!more || f.only != ""):
			return nil
		case err == nil:
			f.away.over()
		default:
			if err := f.away.forgive(ctx, err); err != nil {
				return err
			}
		}
	}
}

// next finds the attempt to read; it waits for one to begin. False: there is none.
func (f *follower) next(ctx context.Context) (bool, error) {
	if f.only != "" || f.from > 0 { // in the middle of one
		return true, nil
	}
	for {
		e, err := f.c.Electron(ctx, f.id, f.electron)
		if err != nil {
			return false, err
		}
		switch last := len(e.Value.Attempts); {
		case last > 0 && f.n == 0:
			f.n = e.Value.Attempts[last-1].N
			return true, nil
		case last > 0 && f.n <= e.Value.Attempts[last-1].N:
			return true, nil
		case Terminal(e.Value.Status):
			return false, nil
		}
		if err := pause(ctx); err != nil {
			return false, err
		}
	}
}

// copy follows an attempt to its end.
func (f *follower) copy(ctx context.Context) error {
	q := url.Values{"follow": {"1"}, "attempt": {f.only}}
	if f.only == "" {
		q.Set("attempt", strconv.Itoa(f.n))
	}
	switch {
	case f.from > 0:
		q.Set("from", strconv.FormatInt(f.from, 10))
	case f.from < 0 && f.tail != "":
		q.Set("tail", f.tail)
	}
	resp, err := f.c.send(ctx, request{method: "GET", path: dispatchPath(f.id, "electrons", f.electron, f.stream), query: q})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if f.from, err = strconv.ParseInt(resp.Header.Get("Latticed-Offset"), 10, 64); err != nil {
		return fmt.Errorf("the daemon's answer does not say where the log begins: %w", err)
	}
	f.away.over()
	body := &reading{r: resp.Body}
	n, err := io.Copy(f.to, body)
	f.from += n
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && body.err != nil:
		return &Unreachable{Server: f.c.server, Err: err}
	case err != nil: // of the writer
		return err
	}
	f.n, f.from, f.tail = f.n+1, 0, ""
	return nil
}

// reading remembers that it was the reader that failed.
type reading struct {
	r   io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
