package triggers_test

import (
	"errors"
	"fmt"
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
func naive(g triggers.Gate, pending []triggers.Pending, now triggers.Now) (map[int]outcome, [][]int) {
	out := map[int]outcome{}
	var fired [][]int
	if g.Paused {
		for i := range pending {
			out[i] = outcome{triggers.EventHeld, "paused"}
		}
		return out, nil
	}
	taken := func(key string, upTo int) bool {
		for j := range upTo {
			o, decided := out[j]
			mine := pending[j].Check.Key == key
			waits := !decided || o.state == triggers.EventHeld || o.state == triggers.EventFired
			if mine && waits {
				return true
			}
		}
		return false
	}
	running := now.InFlight
	var open []int
	finish := func() {
		for _, i := range open {
			switch {
			case g.Overlap != triggers.Allow && running >= g.Max && g.Overlap == triggers.Skip:
				out[i] = outcome{triggers.EventSkipped, "overlap"}
			case g.Overlap != triggers.Allow && running >= g.Max:
				out[i] = outcome{triggers.EventHeld, "overlap"}
			default:
				out[i] = outcome{triggers.EventFired, "event"}
			}
		}
		if out[open[0]].state == triggers.EventFired {
			batch := make([]triggers.Pending, 0, len(open))
			for _, i := range open {
				batch = append(batch, pending[i])
			}
			if _, err := g.Render(batch); err != nil {
				for _, i := range open {
					out[i] = outcome{triggers.EventRejected, err.Error()}
				}
			} else {
				fired = append(fired, open)
				running++
			}
		}
		open = nil
	}
	for i, p := range pending {
		switch {
		case p.Check.Reject != "":
			out[i] = outcome{triggers.EventRejected, p.Check.Reject}
		case p.Check.Skip != "":
			out[i] = outcome{triggers.EventSkipped, p.Check.Skip}
		case p.Check.Key != "" && (p.Check.Seen || taken(p.Check.Key, i)):
			out[i] = outcome{triggers.EventSkipped, "duplicate"}
		default:
			open = append(open, i)
			if len(open) == g.Size {
				finish()
			}
		}
	}
	if len(open) > 0 {
		if now.Time.Before(pending[open[0]].At.Add(g.Wait)) {
			for _, i := range open {
				out[i] = outcome{triggers.EventHeld, "batch"}
			}
		} else {
			finish()
		}
	}
	return out, fired
}

func drawGate(t *rapid.T) triggers.Gate {
	g := triggers.Gate{
		Paused:  rapid.IntRange(0, 9).Draw(t, "paused") == 0,
		Size:    rapid.IntRange(1, 4).Draw(t, "size"),
		Wait:    time.Duration(rapid.IntRange(0, 20).Draw(t, "wait")) * time.Minute,
		Overlap: rapid.SampledFrom([]triggers.Overlap{triggers.Allow, triggers.Skip, triggers.Queue}).Draw(t, "overlap"),
		Max:     rapid.IntRange(1, 5).Draw(t, "max"),
	}
	g.Render = func(batch []triggers.Pending) ([]graph.Dispatch, error) {
		for _, p := range batch {
			if p.Kind == "bad" {
				return nil, errors.New("inputs: bad")
			}
		}
		return []graph.Dispatch{{ID: batch[0].ID}}, nil
	}
	return g
}

func drawPending(t *rapid.T) []triggers.Pending {
	at := noon.Add(-30 * time.Minute)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) triggers.Pending {
		at = at.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "gap")) * time.Minute)
		p := triggers.Pending{Event: triggers.Event{At: at, State: triggers.EventPending}}
		p.Kind = rapid.SampledFrom([]string{"good", "good", "good", "bad"}).Draw(t, "kind")
		if rapid.IntRange(0, 2).Draw(t, "held") == 0 {
			p.State, p.Reason = triggers.EventHeld, rapid.SampledFrom([]string{"overlap", "batch", "paused"}).Draw(t, "reason")
		}
		switch rapid.IntRange(0, 5).Draw(t, "check") {
		case 0:
			p.Check.Skip = rapid.SampledFrom([]string{"condition", "window"}).Draw(t, "skip")
		case 1:
			p.Check.Reject = "when: no"
		case 2, 3:
			p.Check.Key = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			p.Check.Seen = rapid.IntRange(0, 3).Draw(t, "seen") == 0
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
		now := triggers.Now{Time: noon, InFlight: rapid.IntRange(0, 6).Draw(t, "inflight")}
		want, batches := naive(g, ps, now)
		got := map[int]outcome{}
		var fired [][]int
		verdicts, _ := triggers.Decide(g, ps, now)
		for _, v := range verdicts {
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
			if o != want[i] {
				t.Fatalf("event %d: %v, want %v", i, o, want[i])
			}
		}
		if fmt.Sprint(fired) != fmt.Sprint(batches) {
			t.Fatalf("fired %v, want %v", fired, batches)
		}
	}))

	t.Run("leaves_nothing_to_decide_at_the_same_moment", rapid.MakeCheck(func(t *rapid.T) {
		g, ps := drawGate(t), numbered(drawPending(t))
		now := triggers.Now{Time: noon, InFlight: rapid.IntRange(0, 6).Draw(t, "inflight")}
		verdicts, rest := triggers.Decide(g, ps, now)
		gone := map[int]bool{}
		for _, v := range verdicts {
			now.InFlight += len(v.Dispatches)
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
