package triggers_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// asked is what a source answers beside its run, as a test says.
type asked struct {
	probe    func(ctx context.Context, from triggers.From) (triggers.Probed, error)
	backfill func(ctx context.Context, r triggers.Range, f func([]triggers.Event) error) error
	explain  func(ctx context.Context, path string) (triggers.Finding, error)
	covers   string // the folder
	advice   []graph.Warning
	checks   error
	event    graph.Env // that a check finds
	caveats  []graph.Warning
	slowly   time.Duration // so long the check takes
	closed   atomic.Int32
}

var _ interface {
	triggers.Prober
	triggers.Backfiller
	triggers.Explainer
	triggers.Adviser
	triggers.Describer
} = (*feed)(nil)

func (a *asked) Check(ctx context.Context) error {
	if a.slowly > 0 {
		select {
		case <-time.After(a.slowly):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return a.checks
}

func (a *asked) Described() (graph.Env, []graph.Warning) { return a.event, a.caveats }

func (a *asked) Close() error {
	a.closed.Add(1)
	return nil
}

func (a *asked) Probe(ctx context.Context, from triggers.From) (triggers.Probed, error) {
	if a.probe == nil {
		return triggers.Probed{}, nil
	}
	return a.probe(ctx, from)
}

// probes makes the source report these events when it is asked.
func (a *asked) probes(es ...triggers.Event) {
	a.probe = func(context.Context, triggers.From) (triggers.Probed, error) {
		return triggers.Probed{Events: es, Counts: triggers.PreviewCounts{WouldFire: len(es)}}, nil
	}
}

func (a *asked) Backfill(ctx context.Context, _ triggers.From, r triggers.Range, f func([]triggers.Event) error) error {
	return a.backfill(ctx, r, f)
}

// holds makes the source backfill the events with the numbers 1 to n, so many at once.
func (a *asked) holds(n, atOnce int) { a.has(n, atOnce, event) }

// has makes it backfill n events as one makes them, so many at once.
func (a *asked) has(n, atOnce int, one func(n int) triggers.Event) {
	a.backfill = func(_ context.Context, _ triggers.Range, f func([]triggers.Event) error) error {
		for i := 1; i <= n; {
			var es []triggers.Event
			for ; i <= n && len(es) < atOnce; i++ {
				es = append(es, one(i))
			}
			if err := f(es); err != nil {
				return err
			}
		}
		return nil
	}
}

func (a *asked) Covers(path string) bool {
	return a.covers != "" && strings.HasPrefix(path, a.covers)
}

func (a *asked) Explain(ctx context.Context, _ triggers.From, path string) (triggers.Finding, error) {
	return a.explain(ctx, path)
}

func (a *asked) Advice([]byte) []graph.Warning { return a.advice }

// codes lists the codes of warnings.
func codes(ws []graph.Warning) string {
	var out []string
	for _, w := range ws {
		out = append(out, w.Code)
	}
	return strings.Join(out, " ")
}

// quietly fails the test when f stores anything.
func quietly(t *testing.T, w *world, f func()) {
	t.Helper()
	w.ledger.Fail(func(op string) error {
		switch op {
		case "Record", "Fire", "CreateTrigger", "ReviseTrigger", "RemoveTrigger", "SetTriggerState":
			t.Errorf("%s was called", op)
		}
		return nil
	})
	f()
	w.ledger.Fail(nil)
}

// bare is a source that answers nothing beside its run.
type bare struct{}

func (bare) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	if from.Cursor == nil {
		if err := emit(ctx, triggers.Batch{Cursor: json.RawMessage(`{}`)}); err != nil {
			return err
		}
	}
	from.Health(triggers.Active, "")
	<-ctx.Done()
	return context.Cause(ctx)
}

// bareManager runs a manager whose one kind is bare.
func bareManager(t *testing.T) (*triggertest.Ledger, *triggers.Manager) {
	ledger := triggertest.NewLedger()
	ledger.AddLattice(parse(t, echo))
	kinds := triggers.Kinds{"bare": func(*triggers.Fields) triggers.Made { return triggers.Made{Source: bare{}} }}
	m := triggers.NewManager(ledger, kinds, triggers.Options{Log: zerolog.Nop()})
	t.Cleanup(runManager(t, m))
	return ledger, m
}
