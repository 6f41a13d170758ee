package dispatcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Log is what an attempt wrote to one of its streams.
type Log struct {
	io.ReadSeekCloser
	Attempt graph.Attempt
	Growing bool // the attempt runs: there may be more at the end later
}

// Log opens a stream ("stdout" or "stderr") of an attempt, by its number or id; empty
// is the latest. An electron without attempts has written nothing. dispatch is an id
// or a number.
func (d *Dispatcher) Log(ctx context.Context, dispatch, electron, attempt, stream string) (Log, error) {
	if stream != "stdout" && stream != "stderr" {
		return Log{}, fmt.Errorf("stream %s of electron %s: %w", stream, electron, triggers.ErrNotFound)
	}
	for again := false; ; again = true {
		e, err := d.store.Electron(ctx, dispatch, electron)
		if err != nil {
			return Log{}, err
		}
		a, err := pick(e, attempt)
		if err != nil {
			return Log{}, err
		}
		l := Log{ReadSeekCloser: nothing(), Attempt: a}
		if a.ID == "" {
			l.Attempt.Stdout, l.Attempt.Stderr = e.Stdout, e.Stderr // of a reused one
			return d.storedLog(ctx, l, stream)
		}
		if a.Status.Terminal() {
			return d.storedLog(ctx, l, stream)
		}
		l.Growing = true
		f, err := d.liveLog(ctx, e.Executor, a.ID, stream)
		switch {
		case err == nil:
			l.ReadSeekCloser = f
			return l, nil
		case !errors.Is(err, os.ErrNotExist):
			return Log{}, fmt.Errorf("%s of electron %s: %w", stream, electron, err)
		case again:
			return l, nil // not started yet, or not released yet: it will be there
		}
		// It may have ended between the two looks: then it is stored now.
	}
}

func (d *Dispatcher) storedLog(ctx context.Context, l Log, stream string) (Log, error) {
	as := l.Attempt.Stdout
	if stream == "stderr" {
		as = l.Attempt.Stderr
	}
	if as == nil {
		return l, nil
	}
	r, err := d.store.OpenAsset(ctx, as.SHA256)
	if err != nil {
		return Log{}, fmt.Errorf("%s of attempt %s: %w", stream, l.Attempt.ID, err)
	}
	l.ReadSeekCloser = r
	return l, nil
}

func (d *Dispatcher) liveLog(ctx context.Context, executor, attempt, stream string) (io.ReadSeekCloser, error) {
	l, ok := d.execs[executor].(executors.Logger)
	if !ok {
		return nil, os.ErrNotExist
	}
	return l.Log(ctx, attempt, stream)
}

// pick finds an attempt by number or id; the last one when key is empty, and a zero
// one when there is none yet.
func pick(e graph.Electron, key string) (graph.Attempt, error) {
	if key == "" {
		if n := len(e.Attempts); n > 0 {
			return e.Attempts[n-1], nil
		}
		return graph.Attempt{}, nil
	}
	for _, a := range e.Attempts {
		if a.ID == key || strconv.Itoa(a.N) == key {
			return a, nil
		}
	}
	return graph.Attempt{}, fmt.Errorf("attempt %s of electron %s: %w", key, e.Name, triggers.ErrNotFound)
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func nothing() io.ReadSeekCloser { return closer{bytes.NewReader(nil)} }
