package triggers_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// outcome is what became of one event.
type outcome struct {
	state  triggers.EventState
	reason string
}

// naive decides event by event, the way the documentation tells it.
type naive struct {
	g       triggers.Gate
	pending []triggers.Pending
	now     triggers.Now

	out     map[int]outcome
	fired   [][]int
	running int
	times   []time.Time // of firings
	seats   [][]int     // batches that wait where a later one may take the place
	cancel  int
}

func decideNaively(g triggers.Gate, pending []triggers.Pending, now triggers.Now) *naive {
	n := &naive{g: g, pending: pending, now: now, out: map[int]outcome{}, running: now.InFlight, times: slices.Clone(now.Fired)}
	if g.Paused {
		for i, p := range pending {
			n.out[i] = outcome{triggers.EventHeld, "paused"}
			if p.State == triggers.EventHeld && p.Reason == "loop" {
				n.out[i] = outcome{triggers.EventHeld, "loop"}
			}
			if g.SkipNew && p.State == triggers.EventPending && !p.Check.Backfill {
				n.out[i] = outcome{triggers.EventSkipped, "paused"}
			}
		}
		return n
	}
	var open, filled []int
	var backfilled [][]int
	for i, p := range pending {
		switch {
		case p.Check.Dead != "":
			n.out[i] = outcome{triggers.EventDead, p.Check.Dead}
		case p.Check.Reject != "":
			n.out[i] = outcome{triggers.EventRejected, p.Check.Reject}
		case p.Check.Skip != "":
			n.out[i] = outcome{triggers.EventSkipped, p.Check.Skip}
		case p.Check.Hold != "":
			n.out[i] = outcome{triggers.EventHeld, p.Check.Hold}
		case p.Check.Key != "" && (p.Check.Seen || n.taken(p.Check.Key, i)):
			n.out[i] = outcome{triggers.EventSkipped, "duplicate"}
		case p.Check.Backfill:
			if filled = append(filled, i); len(filled) == g.Size {
				backfilled, filled = append(backfilled, filled), nil
			}
		default:
			if open = append(open, i); len(open) == g.Size {
				n.complete(open)
				open = nil
			}
		}
	}
	if n.ripe(open) {
		n.complete(open)
	}
	if n.ripe(filled) {
		backfilled = append(backfilled, filled)
	}
	n.seated()
	for _, b := range backfilled {
		n.queue(b, true)
	}
	return n
}

// taken tells whether an earlier event has fired with the key, or waits to.
func (n *naive) taken(key string, upTo int) bool {
	for j := range upTo {
		o, decided := n.out[j]
		if n.pending[j].Check.Key == key && n.pending[j].Check.Hold == "" && (!decided || o.state == triggers.EventHeld || o.state == triggers.EventFired) {
			return true
		}
	}
	return false
}

func (n *naive) set(b []int, s triggers.EventState, reason string) {
	for _, i := range b {
		n.out[i] = outcome{s, reason}
	}
}

func (n *naive) ripe(b []int) bool {
	if len(b) > 0 && n.now.Time.Before(n.pending[b[0]].At.Add(n.g.Wait)) {
		n.set(b, triggers.EventHeld, "batch")
		return false
	}
	return len(b) > 0
}

// rate tells whether one more firing leaves at most N in the time before now.
func (n *naive) rate() bool {
	lately := 0
	for _, at := range n.times {
		if at.Add(n.g.Rate.Per).After(n.now.Time) {
			lately++
		}
	}
	return n.g.Rate.N == 0 || lately < n.g.Rate.N
}

// good renders a batch; one that can't be ends.
func (n *naive) good(b []int) bool {
	batch := make([]triggers.Pending, 0, len(b))
	for _, i := range b {
		batch = append(batch, n.pending[i])
	}
	_, err := n.g.Render(batch)
	var p *triggers.PanicError
	switch {
	case errors.As(err, &p):
		n.set(b, triggers.EventDead, err.Error())
	case err != nil:
		n.set(b, triggers.EventRejected, err.Error())
	}
	return err == nil
}

func (n *naive) fire(b []int) {
	if n.good(b) {
		n.set(b, triggers.EventFired, "event")
		n.fired = append(n.fired, b)
		n.running++
		n.times = append(n.times, n.now.Time)
	}
}

func (n *naive) queue(b []int, slot bool) {
	switch {
	case slot && n.running >= n.g.Max:
		n.set(b, triggers.EventHeld, "overlap")
	case !n.rate():
		n.set(b, triggers.EventHeld, "rate")
	default:
		n.fire(b)
	}
}

func (n *naive) complete(b []int) {
	free := n.running < n.g.Max
	switch n.g.Overlap {
	case triggers.Allow:
		n.queue(b, false)
	case triggers.Skip:
		if !free {
			n.set(b, triggers.EventSkipped, "overlap")
			return
		}
		n.queue(b, true)
	case triggers.Queue:
		n.queue(b, true)
	case triggers.QueueLatest:
		if free && n.rate() {
			n.fire(b)
			return
		}
		n.sit(b, 1)
	case triggers.Replace:
		n.sit(b, n.g.Max)
	}
}

// sit takes a seat; when all are taken, that of who has it longest.
func (n *naive) sit(b []int, seats int) {
	if !n.good(b) {
		return
	}
	if n.seats = append(n.seats, b); len(n.seats) > seats {
		n.set(n.seats[0], triggers.EventSkipped, "superseded")
		n.seats = n.seats[1:]
	}
}

func (n *naive) seated() {
	replacing := 0
	for _, b := range n.seats {
		switch {
		case !n.rate():
			n.set(b, triggers.EventHeld, "rate")
		case n.running < n.g.Max:
			n.fire(b)
		case n.g.Overlap == triggers.Replace:
			n.set(b, triggers.EventHeld, "replacing")
			n.times = append(n.times, n.now.Time)
			replacing++
		default:
			n.set(b, triggers.EventHeld, "overlap")
		}
	}
	// As many have to end as would be too many then, without those that end already.
	if replacing > 0 {
		n.cancel = max(0, n.running+replacing-n.g.Max-n.now.Ending)
	}
}

func drawGate(t *rapid.T) triggers.Gate {
	g := triggers.Gate{
		Paused:  rapid.IntRange(0, 9).Draw(t, "paused") == 0,
		SkipNew: rapid.Bool().Draw(t, "skipnew"),
		Size:    rapid.IntRange(1, 4).Draw(t, "size"),
		Wait:    time.Duration(rapid.IntRange(0, 20).Draw(t, "wait")) * time.Minute,
		Overlap: rapid.SampledFrom([]triggers.Overlap{triggers.Allow, triggers.Skip, triggers.Queue, triggers.QueueLatest, triggers.Replace}).Draw(t, "overlap"),
		Max:     rapid.IntRange(1, 5).Draw(t, "max"),
	}
	if rapid.Bool().Draw(t, "rated") {
		g.Rate = triggers.Rate{N: rapid.IntRange(1, 4).Draw(t, "n"), Per: time.Duration(rapid.IntRange(1, 30).Draw(t, "per")) * time.Minute}
	}
	g.Render = func(batch []triggers.Pending) ([]graph.Dispatch, error) {
		for _, p := range batch {
			switch p.Kind {
			case "bad":
				return nil, errors.New("inputs: bad")
			case "panic":
				return nil, &triggers.PanicError{Value: "oh"}
			}
		}
		return []graph.Dispatch{{ID: batch[0].ID}}, nil
	}
	return g
}

func drawNow(t *rapid.T, g triggers.Gate) triggers.Now {
	now := triggers.Now{Time: noon, InFlight: rapid.IntRange(0, 6).Draw(t, "inflight")}
	now.Ending = rapid.IntRange(0, now.InFlight).Draw(t, "ending")
	at := noon
	for range rapid.IntRange(0, 2*g.Rate.N).Draw(t, "fired") {
		at = at.Add(-time.Duration(rapid.IntRange(0, 10).Draw(t, "ago")) * time.Minute)
		now.Fired = slices.Insert(now.Fired, 0, at)
	}
	return now
}

func drawPending(t *rapid.T) []triggers.Pending {
	at := noon.Add(-30 * time.Minute)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) triggers.Pending {
		at = at.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "gap")) * time.Minute)
		p := triggers.Pending{Event: triggers.Event{At: at, State: triggers.EventPending}}
		p.Kind = rapid.SampledFrom([]string{"good", "good", "good", "good", "bad", "panic"}).Draw(t, "kind")
		if rapid.IntRange(0, 2).Draw(t, "held") == 0 {
			p.State, p.Reason = triggers.EventHeld, rapid.SampledFrom([]string{"overlap", "batch", "paused", "rate", "replacing", "loop"}).Draw(t, "reason")
		}
		p.Check.Backfill = rapid.IntRange(0, 4).Draw(t, "backfill") == 0
		switch rapid.IntRange(0, 7).Draw(t, "check") {
		case 0:
			p.Check.Skip = rapid.SampledFrom([]string{"condition", "window", "cap"}).Draw(t, "skip")
		case 1:
			p.Check.Reject = "when: no"
		case 2, 3:
			p.Check.Key = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			p.Check.Seen = rapid.IntRange(0, 3).Draw(t, "seen") == 0
		case 4:
			p.Check.Hold = rapid.SampledFrom([]string{"incomplete", "loop"}).Draw(t, "hold")
		}
		if rapid.IntRange(0, 15).Draw(t, "dead") == 0 {
			p.Check.Dead = "panic: oh"
		}
		return p
	}), 0, 20).Draw(t, "pending")
}

func numbered(ps []triggers.Pending) []triggers.Pending {
	for i := range ps {
		ps[i].ID = fmt.Sprint(i)
	}
	return ps
}

func TestDecide(t *testing.T) {
	t.Run("agrees_with_deciding_event_by_event", rapid.MakeCheck(func(t *rapid.T) {
		g, ps := drawGate(t), numbered(drawPending(t))
		now := drawNow(t, g)
		want := decideNaively(g, ps, now)
		got := map[int]outcome{}
		var fired [][]int
		cancel := 0
		verdicts, _ := triggers.Decide(g, ps, now)
		for _, v := range verdicts {
			if cancel += v.Cancel; v.Cancel > 0 && len(v.Events) > 0 {
				t.Fatal("a verdict that cancels does nothing else")
			}
			if !slices.IsSorted(v.Events) {
				t.Fatalf("positions %v", v.Events)
			}
			if v.State == triggers.EventFired {
				fired = append(fired, v.Events)
			}
			for _, i := range v.Events {
				if _, twice := got[i]; twice {
					t.Fatalf("event %d is decided twice", i)
				}
				got[i] = outcome{v.State, v.Reason}
			}
		}
		for i, p := range ps {
			o, said := got[i]
			if !said {
				o = outcome{p.State, p.Reason}
			} else if o == (outcome{p.State, p.Reason}) {
				t.Fatalf("event %d stays as it is and still has a verdict", i)
			}
			if o != want.out[i] {
				t.Fatalf("event %d: %v, want %v", i, o, want.out[i])
			}
		}
		if fmt.Sprint(fired) != fmt.Sprint(want.fired) {
			t.Fatalf("fired %v, want %v", fired, want.fired)
		}
		if cancel != want.cancel || cancel > now.InFlight-now.Ending {
			t.Fatalf("cancels %d, want %d", cancel, want.cancel)
		}
	}))

	t.Run("leaves_nothing_to_decide_at_the_same_moment", rapid.MakeCheck(func(t *rapid.T) {
		g, ps := drawGate(t), numbered(drawPending(t))
		now := drawNow(t, g)
		rendered, render := map[string]int{}, g.Render
		g.Render = func(batch []triggers.Pending) ([]graph.Dispatch, error) {
			rendered[batch[0].ID]++
			return render(batch)
		}
		verdicts, rest := triggers.Decide(g, ps, now)
		for id, n := range rendered {
			if n > 1 {
				t.Fatalf("the dispatch of event %s is made %d times", id, n)
			}
		}
		gone := map[int]bool{}
		for _, v := range verdicts {
			now.InFlight += len(v.Dispatches)
			now.Ending += v.Cancel
			for range v.Dispatches {
				now.Fired = append(now.Fired, now.Time)
			}
			for _, i := range v.Events {
				ps[i].State, ps[i].Reason = v.State, v.Reason
				gone[i] = v.State != triggers.EventHeld
			}
		}
		var left []triggers.Pending
		for i, p := range ps {
			if !gone[i] {
				left = append(left, p)
			}
		}
		again, later := triggers.Decide(g, left, now)
		if len(again) != 0 {
			t.Fatalf("%d verdicts more: %+v", len(again), again)
		}
		if !later.Wake.Equal(rest.Wake) {
			t.Fatalf("wakes at %v, then at %v", rest.Wake, later.Wake)
		}
	}))
}
