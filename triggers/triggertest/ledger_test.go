package triggertest_test

import (
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestLedger(t *testing.T) {
	triggertest.Contract{
		New: func(t *testing.T) (l triggers.Ledger, a, b triggers.Trigger, lattice string) {
			mem := triggertest.NewLedger()
			made := func(name string) triggers.Trigger {
				tr, err := mem.CreateTrigger(t.Context(), triggers.Trigger{ID: name, Name: name, Kind: "directory", CreatedAt: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				return tr
			}
			return mem, made("a"), made("b"), "lattice"
		},
		Begin: func(_ *testing.T, l triggers.Ledger, dispatch string) {
			l.(*triggertest.Ledger).SetDispatch(dispatch, graph.Running)
		},
		End: func(_ *testing.T, l triggers.Ledger, dispatch string) {
			l.(*triggertest.Ledger).SetDispatch(dispatch, graph.Completed)
		},
	}.Run(t)
}
