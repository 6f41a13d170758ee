package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
)

var (
	errDropped   = errors.New("the connection to the runner dropped")
	errMoved     = errors.New("the runner has lost its state directory")
	errElsewhere = errors.New("this runner does not know the attempt")
)

// link is a connection to a runner. One goroutine, owned by the Executor, reads it and
// hands each message to whoever waits for it.
type link struct {
	e     *Executor
	conn  *runner.Conn
	hello *runner.Hello
	done  chan struct{} // closed when the connection is over
	left  atomic.Bool   // nothing more is asked of it: see retire

	next    atomic.Int64
	mu      sync.Mutex
	calls   map[string][]*call    // by attempt
	answers map[int64]chan answer // by request
}

type answer struct {
	m   runner.Message
	fds []int
}

func newLink(e *Executor, c *runner.Conn, h *runner.Hello) *link {
	return &link{
		e: e, conn: c, hello: h, done: make(chan struct{}),
		calls: map[string][]*call{}, answers: map[int64]chan answer{},
	}
}

// read hands out messages until the connection is over.
func (l *link) read() {
	defer close(l.done)
	defer l.conn.Drop()
	defer l.conn.Close()
	for {
		m, fds, err := l.conn.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *runner.Ended:
			l.toCalls(m.Attempt, answer{m, fds})
		case *runner.Refused:
			l.toCalls(m.Attempt, answer{m, fds})
		case *runner.Unknown:
			l.toCalls(m.Attempt, answer{m, fds})
		case *runner.Condition:
			l.toCalls(m.Attempt, answer{m, fds})
		case *runner.Reply:
			l.toRequest(m.Request, answer{m, fds})
		case *runner.Attempts:
			l.toRequest(m.Request, answer{m, fds})
		default:
			runner.CloseAll(fds)
		}
	}
}

func (l *link) toRequest(n int64, a answer) {
	l.mu.Lock()
	defer l.mu.Unlock() // who gives up looks into c under it
	c := l.answers[n]
	delete(l.answers, n)
	if c == nil {
		runner.CloseAll(a.fds)
		return
	}
	c <- a // it has room for one
}

// ask sends a request and waits for its answer.
func (l *link) ask(ctx context.Context, request func(n int64) runner.Message) (answer, error) {
	n := l.next.Add(1)
	c := make(chan answer, 1)
	l.mu.Lock()
	l.answers[n] = c
	l.mu.Unlock()
	if err := l.conn.Send(request(n)); err != nil {
		return answer{}, err
	}
	select {
	case a := <-c:
		return a, nil
	case <-l.done:
		l.giveUp(n, c)
		return answer{}, errDropped
	case <-ctx.Done():
		l.giveUp(n, c)
		return answer{}, context.Cause(ctx)
	}
}

// giveUp waits no longer for the answer to request n.
func (l *link) giveUp(n int64, c chan answer) {
	l.mu.Lock()
	delete(l.answers, n)
	l.mu.Unlock()
	select {
	case a := <-c:
		runner.CloseAll(a.fds)
	default:
	}
}

// run starts or joins an attempt and waits for its end. known says that it may have
// been started before: then it is asked for without its files, and sent whole only if
// the runner has never seen it, provided that it may be started here at all.
func (l *link) run(ctx context.Context, j *job, known, start bool) (executors.Result, error) {
	c := l.join(j.task.Attempt)
	defer l.part(j.task.Attempt, c)
	cancelled := ctx.Err() != nil && !errors.Is(context.Cause(ctx), executors.ErrDetached)
	if err := l.start(j, known, cancelled); err != nil {
		return executors.Result{}, err
	}
	ended := ctx.Done()
	if cancelled {
		ended = nil
	}
	for {
		select {
		case <-ended:
			if errors.Is(context.Cause(ctx), executors.ErrDetached) {
				return executors.Result{}, context.Cause(ctx)
			}
			ended, cancelled = nil, true
			_ = l.conn.Send(&runner.Cancel{Attempt: j.task.Attempt}) // a failed Send closes the link
		case <-l.done:
			return executors.Result{}, errDropped
		case a := <-c.mail:
			switch m := a.m.(type) {
			case *runner.Unknown:
				if !start {
					return executors.Result{}, errElsewhere
				}
				if err := l.start(j, false, cancelled); err != nil {
					return executors.Result{}, err
				}
			case *runner.Refused:
				if m.Code == runner.CodeMoved {
					return executors.Result{}, errMoved
				}
				if cancelled && m.Code != runner.CodeElsewhere {
					return executors.Result{Cancelled: true}, nil // nothing of it was ever there
				}
				return executors.Result{}, refused(m)
			case *runner.Condition:
				if j.task.Report != nil {
					j.task.Report(m.Code, m.Detail)
				}
			case *runner.Ended:
				res, err := l.e.result(j, m, a.fds)
				l.failed(m, res, err)
				return res, err
			}
		}
	}
}

// start sends an attempt on its way.
func (l *link) start(j *job, known, cancelled bool) error {
	m := j.message()
	m.Attach, m.Cancel = known, cancelled
	if known || cancelled {
		return dropped(l.conn.Send(m))
	}
	files, closeFiles, err := j.open(m)
	defer closeFiles()
	if err != nil {
		return err
	}
	return dropped(l.conn.Send(m, files...))
}

// dropped says what it means that a Start couldn't be sent.
func dropped(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, runner.ErrTooLong):
		return executors.Permanent(executors.Failf(executors.CodeValueTooLong, "the attempt can't be described to the runner: %w", err))
	}
	return errors.Join(errDropped, err)
}

// refused tells why the runner didn't start an attempt.
func refused(m *runner.Refused) error {
	f := &executors.Failure{Code: m.Code, Message: m.Text}
	switch {
	case m.Permanent:
		return executors.Permanent(f)
	case m.Code == runner.CodeElsewhere:
		return fmt.Errorf("%w: %w", executors.ErrUnknown, f)
	}
	return f
}
