package timer

import (
	"context"
	"encoding/json"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var anchor = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// tickLattice takes what a tick says.
func tickLattice(t *testing.T) *graph.Lattice {
	t.Helper()
	l, err := graph.Parse([]byte("lattice: tick\ninputs: {at: {type: string, default: none}, missed: {type: integer, default: 0}}\nelectrons: {e: {run: [\"true\"]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type world struct {
	*testing.T
	ledger  *triggertest.Ledger
	manager *triggers.Manager
	stop    func()
}

func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	inBubbleFrom(t, "2000-01-01T00:00:00Z", f)
}

// inBubbleFrom runs f with simulated time that begins at an instant, on one processor:
// timers of a bubble share one context of the race detector, and two that fire at once
// crash it.
func inBubbleFrom(t *testing.T, begin string, f func(t *testing.T, w *world)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		sleepTo(t, begin)
		w := &world{T: t, ledger: triggertest.NewLedger()}
		w.ledger.AddLattice(tickLattice(t))
		w.start()
		defer func() { w.stop() }()
		f(t, w)
	})
}

func (w *world) start() {
	m := triggers.NewManager(w.ledger, triggers.Kinds{"time": Kind}, triggers.Options{Log: zerolog.Nop()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	w.manager = m
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
		w.stop = func() {}
	}
}

func (w *world) add(fields string) triggers.Trigger {
	w.Helper()
	tr, _, err := w.manager.Add(w.Context(), []byte(`{"name":"t","kind":"time","lattice":"tick","overlap":"allow","inputs":{"at":"${{ event.time }}","missed":"${{ event.missed }}"},`+fields+`}`), triggers.Principal{})
	if err != nil {
		w.Fatal(err)
	}
	return tr
}

func (w *world) inputs(id string) []string {
	var out []string
	for _, d := range w.ledger.Dispatches(id) {
		out = append(out, string(d.Inputs))
	}
	return out
}

func wait(d time.Duration) {
	time.Sleep(d) // simulated
	synctest.Wait()
}

// told lists the events of a trigger: the instant as the clock of its zone shows it, how
// many it stands for beside itself, and what became of it.
func (w *world) told(id string) []string {
	w.Helper()
	list := []string{}
	for _, e := range w.ledger.Events(id) {
		var p payload
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			w.Fatal(err)
		}
		list = append(list, strings.Join([]string{p.Local, strconv.FormatInt(p.Missed, 10), string(e.State), e.Reason}, " "))
	}
	return list
}

func (w *world) tells(id string, want ...string) {
	w.Helper()
	if got := w.told(id); !slices.Equal(got, want) {
		w.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (w *world) patch(patch string) {
	w.Helper()
	if _, _, err := w.manager.Patch(w.Context(), "t", []byte(patch), triggers.Principal{}); err != nil {
		w.Fatal(err)
	}
}

// sleepTo lets the simulated time pass up to an instant.
func sleepTo(t *testing.T, text string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	wait(time.Until(at))
}
