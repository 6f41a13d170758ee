package dispatcher_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

var _ dispatcher.Store = (*store.Store)(nil)

// house is a store, an executor and the dispatchers that come and go between them.
type house struct {
	t    testing.TB
	st   *faulty
	exec executors.Executor
	d    *dispatcher.Dispatcher
	opts dispatcher.Options
	halt func()
}

func newHouse(t testing.TB, exec executors.Executor) *house {
	t.Helper()
	return openHouse(t, t.TempDir(), exec)
}

func openHouse(t testing.TB, dir string, exec executors.Executor) *house {
	t.Helper()
	st, err := store.Open(context.Background(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, st: &faulty{Store: st}, exec: exec, halt: func() {}}
	if testing.Verbose() {
		h.opts.Log = zerolog.New(zerolog.NewTestWriter(t))
	}
	t.Cleanup(func() {
		h.stop()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if p, ok := exec.(*player); ok {
			p.finishAll()
		}
	})
	return h
}

// finishAll ends what still plays.
func (p *player) finishAll() {
	p.mu.Lock()
	for _, y := range p.plays {
		y.cancel()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// make makes a dispatcher that doesn't run yet.
func (h *house) make() *house {
	h.d = dispatcher.New(h.st, map[string]executors.Executor{"local": h.exec}, h.opts)
	return h
}

// start runs a new dispatcher until stop.
func (h *house) start() *house {
	h.make()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.d.Run(ctx); err != nil {
			h.t.Error(err)
		}
	})
	h.halt = func() {
		cancel()
		wg.Wait()
		h.halt = func() {}
	}
	return h
}

func (h *house) stop() { h.halt() }

// submit dispatches an inline lattice.
func (h *house) submit(doc string, inputs map[string]any) graph.Dispatch {
	h.t.Helper()
	g, _, err := h.d.Accept(h.t.Context(), dispatcher.Request{Document: []byte(doc), Inputs: inputs, Owner: "ada"})
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// until waits for a state of a dispatch.
func (h *house) until(id string, ok func(graph.Dispatch) bool) graph.Dispatch {
	h.t.Helper()
	changed, forget := h.st.Watch(id)
	defer forget()
	for {
		g, err := h.st.Dispatch(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if ok(g) {
			return g
		}
		select {
		case <-changed:
		case <-h.t.Context().Done():
			h.t.Fatalf("dispatch %s stays %+v", id, g)
		}
	}
}

func (h *house) end(id string) graph.Dispatch {
	h.t.Helper()
	return h.until(id, func(g graph.Dispatch) bool { return g.Status.Terminal() })
}

// run submits and waits for the end.
func (h *house) run(doc string, inputs map[string]any) graph.Dispatch {
	h.t.Helper()
	return h.end(h.submit(doc, inputs).ID)
}

func (h *house) electron(dispatch, name string) graph.Electron {
	h.t.Helper()
	e, err := h.st.Electron(h.t.Context(), dispatch, name)
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// faulty is the real store with a door for trouble.
type faulty struct {
	*store.Store
	steps   atomic.Int64
	advance atomic.Pointer[func(graph.Step, func() error) error]
	pending atomic.Pointer[func() error] // before it
	stage   atomic.Pointer[func() error]
	insert  atomic.Pointer[func(graph.Dispatch, func() (graph.Dispatch, error)) (graph.Dispatch, error)] // of what starts at once
	open    atomic.Pointer[func() error]                                                                 // before an asset
	look    atomic.Pointer[func() error]                                                                 // before a dispatch is read with its electrons
}

// onAdvance lets f stand between the dispatcher and the store; its second argument
// does what was asked.
func (f *faulty) onAdvance(g func(s graph.Step, do func() error) error) { f.advance.Store(&g) }

func (f *faulty) Advance(ctx context.Context, s graph.Step) error {
	f.steps.Add(1)
	do := func() error { return f.Store.Advance(ctx, s) }
	if g := f.advance.Load(); g != nil {
		return (*g)(s, do)
	}
	return do()
}

// onInsert lets g stand before a dispatch is stored with its first attempts.
func (f *faulty) onInsert(g func(d graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error)) {
	f.insert.Store(&g)
}

func (f *faulty) InsertDispatch(ctx context.Context, d graph.Dispatch) (graph.Dispatch, error) {
	do := func() (graph.Dispatch, error) { return f.Store.InsertDispatch(ctx, d) }
	if g := f.insert.Load(); g != nil && len(d.First) > 0 {
		return (*g)(d, do)
	}
	return do()
}

// late makes a dispatch of doc begin after it was stored: its electrons want to know
// what is not known before.
func late(doc string) string { return strings.ReplaceAll(doc, "[x]", `[x, "${{ dispatch.number }}"]`) }

func (f *faulty) Run(ctx context.Context, id string) (graph.Run, error) {
	if g := f.look.Load(); g != nil {
		if err := (*g)(); err != nil {
			return graph.Run{}, err
		}
	}
	return f.Store.Run(ctx, id)
}

func (f *faulty) Pending(ctx context.Context, limit int, skip func(int64) bool) ([]graph.Dispatch, error) {
	if g := f.pending.Load(); g != nil {
		if err := (*g)(); err != nil {
			return nil, err
		}
	}
	return f.Store.Pending(ctx, limit, skip)
}

func (f *faulty) StageAsset(ctx context.Context, r io.Reader) (graph.NewAsset, error) {
	if g := f.stage.Load(); g != nil {
		if err := (*g)(); err != nil {
			return graph.NewAsset{}, err
		}
	}
	return f.Store.StageAsset(ctx, r)
}

func (f *faulty) OpenAsset(ctx context.Context, sha256 string) (io.ReadSeekCloser, error) {
	if g := f.open.Load(); g != nil {
		if err := (*g)(); err != nil {
			return nil, err
		}
	}
	return f.Store.OpenAsset(ctx, sha256)
}
