package triggers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/latticed/latticed/graph"
)

// Limits of what is asked of a source beside its Run.
const (
	// askLimit is how long a source may take to answer a question.
	askLimit = 20 * time.Second
	// maxAsks bounds the questions that have no answer yet: those that hang on a file
	// server that is gone are left behind, and each keeps its place.
	maxAsks = 16
)

// errNoAnswer means that what a source looks at has not answered in time.
var errNoAnswer = errors.New("no answer")

// ask calls f, beside the goroutine of any source, and gives up after limit even if f
// does not: it is left behind then, and what it knows by then is not to be read. The
// error is errNoAnswer in that case. A panic of f is its error.
func (m *Manager) ask(ctx context.Context, limit time.Duration, f func(ctx context.Context) error) error {
	select {
	case m.asks <- struct{}{}:
	default:
		return &ConflictError{Code: "busy", Message: "too many questions about folders and instants have no answer yet; try again in a while, and if it stays so look for a file server that is gone"}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w within %s; is it on a file server that is gone?", errNoAnswer, limit))
	answer := make(chan error, 1)
	go func() {
		defer func() { <-m.asks }()
		answer <- contained(func() error { return f(ctx) })
	}()
	defer cancel()
	select {
	case err := <-answer:
		if ctx.Err() != nil && err != nil {
			return context.Cause(ctx)
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// from is where the source of a stored trigger stands, for questions beside its Run:
// nothing is reported and nobody is woken.
func (m *Manager) from(ctx context.Context, id string) (From, error) {
	cursor, err := m.ledger.Cursor(ctx, id)
	if err != nil {
		return From{}, err
	}
	return From{
		Trigger:  id,
		Cursor:   cursor,
		Entities: func(ctx context.Context, f func(Change) error) error { return m.ledger.Entities(ctx, id, f) },
		Entity:   func(ctx context.Context, key []byte) (Change, bool, error) { return m.ledger.Entity(ctx, id, key) },
		Runs:     func(ctx context.Context) (Runs, error) { return m.ledger.Runs(ctx, id) },
		Ended:    m.endsOf(nil),
		Known:    func(ctx context.Context, keys []string) ([]string, error) { return m.ledger.Known(ctx, id, keys) },
		Fits:     func(graph.Env) error { return nil },
		Health:   func(State, string) {},
		Wake:     func() {},
	}, nil
}

// fromNothing is where a source begins that is only considered.
func fromNothing() From {
	return From{
		Entities: func(context.Context, func(Change) error) error { return nil },
		Entity:   func(context.Context, []byte) (Change, bool, error) { return Change{}, false, nil },
		Runs:     func(context.Context) (Runs, error) { return Runs{}, nil },
		Ended:    func(_ context.Context, after int64, _ int) ([]Ended, int64, error) { return nil, after, nil },
		Known:    func(context.Context, []string) ([]string, error) { return nil, nil },
		Fits:     func(graph.Env) error { return nil },
		Health:   func(State, string) {},
		Wake:     func() {},
	}
}

// release gives back what a source holds that was only asked.
func release(s Source) {
	if c, ok := s.(io.Closer); ok {
		_ = c.Close() // it was never run: there is nothing to lose
	}
}
