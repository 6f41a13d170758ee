package dispatcher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// player is an executor in memory. Like a runner it remembers attempts by id, so that
// a second dispatcher finds them again.
type player struct {
	// act plays one attempt; try counts those of the same electron. Its context ends
	// when the attempt is cancelled. nil: it ends at once with the result {}.
	act func(ctx context.Context, t executors.Task, try int) (executors.Result, error)
	// door, when set, is asked before each Run; an error is returned as Run's.
	door func(ctx context.Context, t executors.Task) error

	mu       sync.Mutex
	plays    map[string]*play
	tries    map[string]int // by dispatch and electron
	running  map[string]int
	overlaps []string // electrons that ran twice at a time
	most     int      // attempts at a time
	released map[string]bool
	order    []string // of starts, by dispatch number and electron
	settled  []string
	wg       sync.WaitGroup
}

type play struct {
	task   executors.Task
	cancel context.CancelFunc
	ended  bool // cancel was asked for
	done   chan struct{}
	res    executors.Result
	err    error
}

func newPlayer() *player {
	return &player{plays: map[string]*play{}, tries: map[string]int{}, running: map[string]int{}, released: map[string]bool{}}
}

func key(t executors.Task) string { return t.Dispatch + "/" + t.Electron }

func (p *player) Handle(attempt string) json.RawMessage {
	return json.RawMessage(`{"for":"` + attempt + `"}`)
}

func (p *player) Run(ctx context.Context, t executors.Task) (executors.Result, error) {
	if p.door != nil {
		if err := p.door(ctx, t); err != nil {
			return executors.Result{}, err
		}
	}
	y, err := p.join(ctx, t)
	if err != nil {
		return executors.Result{}, err
	}
	select {
	case <-y.done:
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), executors.ErrDetached) {
			return executors.Result{}, context.Cause(ctx)
		}
		p.mu.Lock()
		y.ended = true
		p.mu.Unlock()
		y.cancel()
		<-y.done
	}
	res := y.res
	res.Release = func(keep bool) { p.release(t.Attempt, keep) }
	return res, y.err
}

// join starts an attempt that nobody has seen before.
func (p *player) join(ctx context.Context, t executors.Task) (*play, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if y := p.plays[t.Attempt]; y != nil {
		return y, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // nothing to end
	}
	if _, was := p.released[t.Attempt]; was {
		return nil, executors.Permanent(fmt.Errorf("attempt %s was released and is asked for again", t.Attempt))
	}
	own, cancel := context.WithCancel(context.Background())
	y := &play{task: t, cancel: cancel, done: make(chan struct{})}
	p.plays[t.Attempt] = y
	p.tries[key(t)]++
	p.order = append(p.order, fmt.Sprintf("%d/%s", t.Number, t.Electron))
	if p.running[key(t)]++; p.running[key(t)] > 1 {
		p.overlaps = append(p.overlaps, key(t))
	}
	at := 0
	for _, n := range p.running {
		at += n
	}
	p.most = max(p.most, at)
	try := p.tries[key(t)]
	p.wg.Go(func() { p.perform(own, y, try) })
	return y, nil
}

func (p *player) perform(ctx context.Context, y *play, try int) {
	defer close(y.done)
	defer y.cancel()
	if p.act != nil {
		y.res, y.err = p.act(ctx, y.task, try)
	} else {
		y.res.Value = json.RawMessage("{}")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running[key(y.task)]--; p.running[key(y.task)] == 0 {
		delete(p.running, key(y.task))
	}
	if y.ended && ctx.Err() != nil {
		y.res.Cancelled = true
	}
	y.res.EndedAt = time.Now()
}

func (p *player) release(attempt string, keep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.plays, attempt)
	p.released[attempt] = keep
}

// Settle releases what ended and nobody wants.
func (p *player) Settle(_ context.Context, live func(string) bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, y := range p.plays {
		select {
		case <-y.done:
			if !live(id) {
				delete(p.plays, id)
				p.released[id] = y.res.Error != nil
				p.settled = append(p.settled, id)
			}
		default:
		}
	}
	return nil
}

func (p *player) starts(dispatch, electron string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tries[dispatch+"/"+electron]
}

func (p *player) startOrder() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.order...)
}

// held is how many attempts nobody has released.
func (p *player) held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.plays)
}

// value makes the result of an attempt that went well.
func value(v string) executors.Result { return executors.Result{Value: json.RawMessage(v)} }

// failure makes that of one that didn't.
func failure(code string) executors.Result {
	return executors.Result{Error: &graph.Error{Code: code, Message: "it ended with " + code}}
}
