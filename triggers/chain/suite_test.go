package chain

import (
	"context"
	"fmt"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestSuite(t *testing.T) {
	for name, of := range map[string]map[string]any{
		"lattice": {"lattice": "scan"},
		"label":   {"label": map[string]any{"site": "roof"}},
		"failed":  {"lattice": "scan", "status": []any{"failed", "completed"}},
	} {
		t.Run(name, func(t *testing.T) {
			var l *triggertest.Ledger
			suite := triggertest.Suite{
				Kind: Kind,
				Fields: func(*testing.T) map[string]any {
					l = triggertest.NewLedger()
					return map[string]any{"name": "t", "of": of}
				},
				Happen: func(_ *testing.T, _ map[string]any, n int) {
					for _, lattice := range []string{"other", "scan"} {
						d := graph.Dispatch{ID: fmt.Sprint(lattice, n), LatticeName: lattice, Status: graph.Running}
						if lattice == "scan" {
							d.Labels = map[string]string{"site": "roof", "n": "1"}
						}
						l.SetDispatch(l.AddDispatch(d).ID, graph.Completed)
					}
				},
				Simulated: true,
			}
			suite.Ended = func(ctx context.Context, after int64, limit int) ([]triggers.Ended, int64, error) {
				ends, place, err := l.Ends(ctx, after, limit)
				if err != nil {
					return nil, after, err
				}
				es, err := l.Ended(ctx, ends)
				return es, place, err
			}
			suite.Run(t)
		})
	}
}
