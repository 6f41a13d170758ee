package store

import (
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestLedger(t *testing.T) {
	triggertest.Contract{
		New: func(t *testing.T) (l triggers.Ledger, a, b triggers.Trigger, lattice string) {
			s := openNew(t)
			a, lt := withTrigger(t, s, "a")
			b, _ = withTrigger(t, s, "b")
			return s, a, b, lt.ID
		},
		Begin: func(t *testing.T, l triggers.Ledger, dispatch string) {
			s := l.(*Store)
			advance(t, s, graph.Step{Dispatch: dispatch, Begin: s.o.Now()})
		},
		End: func(t *testing.T, l triggers.Ledger, dispatch string) {
			advance(t, l.(*Store), graph.Step{Dispatch: dispatch, Finish: &graph.DispatchEnd{Status: graph.Completed}})
		},
	}.Run(t)
}
