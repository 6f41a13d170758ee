package chain

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// world is a manager over a ledger in memory, in simulated time.
type world struct {
	*testing.T
	ledger  *triggertest.Ledger
	manager *triggers.Manager
	stop    func()
	n       int
}

func inBubble(t *testing.T, f func(w *world)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // timers of a bubble share one context of the race detector
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, ledger: triggertest.NewLedger()}
		for _, name := range []string{"scan", "fit", "report"} {
			l, err := graph.Parse([]byte("lattice: " + name + "\ninputs:\n  of: {type: string, default: none}\nelectrons:\n  e: {run: [echo, \"${{ inputs.of }}\"]}\n"))
			if err != nil {
				t.Fatal(err)
			}
			w.ledger.AddLattice(l)
		}
		w.start()
		defer func() { w.stop() }()
		f(w)
	})
}

func (w *world) start() {
	w.manager = triggers.NewManager(w.ledger, triggers.Kinds{Name: Kind}, triggers.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	m := w.manager
	go func() { done <- m.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	}
	synctest.Wait()
}

// add registers a trigger that runs a lattice; fields come after that.
func (w *world) add(name, lattice, fields string) (triggers.Trigger, []graph.Warning) {
	w.Helper()
	spec := fmt.Sprintf(`{"name": %q, "kind": "dispatch", "lattice": %q, "inputs": {"of": "${{ event.id }}"}, %s}`, name, lattice, fields)
	t, ws, err := w.manager.Add(w.Context(), []byte(spec), triggers.Principal{Name: "ada"})
	if err != nil {
		w.Fatal(err)
	}
	return t, ws
}

// end makes a dispatch that nobody's trigger has made, and ends it.
func (w *world) end(lattice string, as graph.Status, change func(*graph.Dispatch)) graph.Dispatch {
	w.Helper()
	w.n++
	l, err := w.ledger.Lattice(w.Context(), lattice)
	if err != nil {
		w.Fatal(err)
	}
	d := graph.Dispatch{ID: fmt.Sprintf("by-hand-%d", w.n), LatticeName: lattice, LatticeID: l.ID, Status: graph.Running, Inputs: []byte(`{}`)}
	d.RootID = d.ID
	if change != nil {
		change(&d)
	}
	d = w.ledger.AddDispatch(d)
	w.ledger.SetDispatch(d.ID, as)
	w.tell("")
	return d
}

// tell is what the dispatcher does after an end.
func (w *world) tell(trigger string) {
	w.manager.DispatchEnded(trigger)
	synctest.Wait()
}

// work completes what a trigger has dispatched, and tells how much that was.
func (w *world) work(t triggers.Trigger) int {
	n := w.ledger.EndDispatches(t.ID, 1<<20)
	w.tell(t.ID)
	return n
}

// states lists the events of a trigger as dispatch:state:reason.
func (w *world) states(t triggers.Trigger) string {
	var out []string
	for _, e := range w.ledger.Events(t.ID) {
		d, err := w.ledger.Dispatch(w.Context(), e.Key)
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d:%s:%s", d.Number, e.State, e.Reason))
	}
	return strings.Join(out, " ")
}

func (w *world) expect(t triggers.Trigger, want string) {
	w.Helper()
	if got := w.states(t); got != want {
		w.Errorf("events of %s\n got %s\nwant %s", t.Name, got, want)
	}
}

func wait(d time.Duration) {
	time.Sleep(d) // simulated
	synctest.Wait()
}
