package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// stuck is a kind that looks at something which does not answer.
type stuck struct {
	hangs chan struct{} // closed when a backfill has begun to emit

	mu        sync.Mutex
	backfills int
}

func newStuck() *stuck { return &stuck{hangs: make(chan struct{})} }

func (s *stuck) kind(*triggers.Fields) triggers.Made {
	return triggers.Made{Source: s, Event: graph.Env{"n": graph.Integer}}
}

// still is a kind that sees nothing and can be asked nothing.
type still struct{}

func stillKind(*triggers.Fields) triggers.Made {
	return triggers.Made{Source: still{}, Event: graph.Env{"n": graph.Integer}}
}

// Run implements triggers.Source.
func (s *stuck) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	return still{}.Run(ctx, from, emit)
}

// Run implements triggers.Source.
func (still) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	if err := emit(ctx, triggers.Batch{Cursor: []byte("{}")}); err != nil {
		return err
	}
	from.Health(triggers.Active, "")
	<-ctx.Done()
	return context.Cause(ctx)
}

// Probe implements triggers.Prober.
func (s *stuck) Probe(ctx context.Context, _ triggers.From) (triggers.Probed, error) {
	<-ctx.Done()
	return triggers.Probed{}, context.Cause(ctx)
}

// Backfill implements triggers.Backfiller: what there is can be counted once, and not
// be had.
func (s *stuck) Backfill(ctx context.Context, _ triggers.From, _ triggers.Range, f func([]triggers.Event) error) error {
	s.mu.Lock()
	s.backfills++
	first := s.backfills == 1
	s.mu.Unlock()
	if first {
		return f([]triggers.Event{{Key: "1", Kind: "row", Payload: []byte(`{"n": 1}`)}})
	}
	close(s.hangs)
	<-ctx.Done()
	return context.Cause(ctx)
}

// asking sends the same request n times at once; answers come as they come, and stop
// ends the waiting for the rest.
func (h *house) asking(n int, path string) (answers <-chan answer, stop func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	got := make(chan answer, n)
	var all sync.WaitGroup
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://latticed"+path, nil)
		if err != nil {
			h.t.Fatal(err)
		}
		all.Go(func() {
			resp, err := h.client.Do(req)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err == nil {
				coverage.refused(resp.StatusCode, body)
				got <- answer{h.t, resp.StatusCode, resp.Header, body}
			}
		})
	}
	return got, func() { cancel(); all.Wait() }
}

func TestTest_of_what_does_not_answer_takes_no_more_than_its_places(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	h.do("POST /v1/triggers", `{"name": "gone", "kind": "stuck", "lattice": "work"}`).want(201)
	answers, stop := h.asking(17, "/v1/triggers/gone/test")
	defer stop()
	a := (<-answers).want(503)
	if a.text("code") != "busy" || !strings.Contains(a.text("detail"), "try again") || a.header.Get("Retry-After") != "1" {
		t.Errorf("%v %s", a.header, a.body)
	}
}

func TestBackfill_runs_once_at_a_time(t *testing.T) {
	h := newHouse(t)
	h.do("POST /v1/lattices", workLattice).want(201)
	h.do("POST /v1/triggers", `{"name": "gone", "kind": "stuck", "lattice": "work"}`).want(201)
	_, stop := h.asking(1, "/v1/triggers/gone/backfill")
	defer stop()
	<-h.stuck.hangs
	if c := h.do("POST /v1/triggers/gone/backfill", `{"since": "2026-01-01T00:00:00Z"}`).want(409).text("code"); c != "backfill_running" {
		t.Errorf("%s", c)
	}
}
