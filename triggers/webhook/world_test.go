package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// world is a manager over a ledger in memory, with a hub before it.
type world struct {
	*testing.T
	ledger  *triggertest.Ledger
	hub     *Hub
	manager *triggers.Manager
	log     *lockedBuffer
	stop    func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const echo = `
lattice: echo
inputs:
  body: {default: none}
electrons:
  e: {run: [echo, "${{ string(inputs.body) }}"]}
`

func newWorld(t *testing.T, place Place) *world {
	l, err := graph.Parse([]byte(echo))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, ledger: triggertest.NewLedger(), log: &lockedBuffer{}}
	w.ledger.AddLattice(l)
	w.start(place)
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start(place Place) {
	w.hub = New(place)
	w.manager = triggers.NewManager(w.ledger, triggers.Kinds{Name: w.hub.Kind}, triggers.Options{Log: zerolog.New(w.log), Baseline: time.Minute, Doors: Doors})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.manager.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
}

// add registers a trigger; fields come after name, kind and lattice.
func (w *world) add(name, fields string) triggers.Trigger {
	w.Helper()
	spec := `{"name": "` + name + `", "kind": "webhook", "lattice": "echo", "inputs": {"body": "${{ event.body }}"}`
	if fields != "" {
		spec += ", " + fields
	}
	t, _, err := w.manager.Add(w.Context(), []byte(spec+"}"), triggers.Principal{Name: "ada"})
	if err != nil {
		w.Fatal(err)
	}
	return t
}

// refused tells what is said to a spec that is wrong.
func (w *world) refused(fields string) []graph.Problem {
	w.Helper()
	_, _, err := w.manager.Add(w.Context(), []byte(`{"name": "wrong", "kind": "webhook", "lattice": "echo", `+fields+`}`), triggers.Principal{Name: "ada"})
	var invalid *graph.Invalid
	if !errors.As(err, &invalid) {
		w.Errorf("%s: %v", fields, err)
		return nil
	}
	return invalid.Problems
}

func delivery(to, body string, headers ...string) Delivery {
	d := Delivery{To: to, Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}}, Query: url.Values{}, At: time.Now()}
	for i := 0; i < len(headers); i += 2 {
		d.Header.Set(headers[i], headers[i+1])
	}
	return d
}

func (w *world) deliver(d Delivery) (Receipt, error) {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	return w.hub.Deliver(ctx, d)
}

func (w *world) delivered(d Delivery) Receipt {
	w.Helper()
	r, err := w.deliver(d)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// last is the payload of the latest event.
func (w *world) last(t triggers.Trigger) map[string]any {
	w.Helper()
	es := w.ledger.Events(t.ID)
	var fields map[string]any
	if err := json.Unmarshal(es[len(es)-1].Payload, &fields); err != nil {
		w.Fatal(err)
	}
	return fields
}
