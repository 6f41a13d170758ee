package dispatcher

import (
	"testing"

	"pgregory.net/rapid"
)

// waiter is one dispatch's side of slots.
type waiter struct {
	claim
	got int
}

func newWaiter() *waiter {
	w := &waiter{}
	w.grant = func() { w.got++ }
	return w
}

func TestSlots(t *testing.T) {
	t.Run("free_slots_are_given_at_once", func(t *testing.T) {
		s, a := &slots{limit: 2}, newWaiter()
		if now := s.take(&a.claim, 3); now != 2 || a.want != 1 {
			t.Errorf("got %d at once and %d later, want 2 and 1", now, a.want)
		}
	})
	t.Run("they_go_round_among_those_who_wait", func(t *testing.T) {
		s, wide, small := &slots{limit: 1}, newWaiter(), newWaiter()
		s.take(&wide.claim, 1000)
		s.take(&small.claim, 1)
		s.put(1)
		s.put(1)
		if wide.got != 1 || small.got != 1 {
			t.Errorf("after two ends the wide one got %d and the small one %d, want 1 and 1", wide.got, small.got)
		}
	})
	t.Run("forced_ones_are_made_up_for_first", func(t *testing.T) {
		s, a := &slots{limit: 1}, newWaiter()
		s.force(3)
		if now := s.take(&a.claim, 1); now != 0 {
			t.Error("got a slot while three attempts run")
		}
		s.put(2)
		if a.got != 0 {
			t.Error("got a slot while one attempt too many runs")
		}
		s.put(1)
		if a.got != 1 {
			t.Error("got no slot though one is free")
		}
	})
	t.Run("who_withdrew_gets_none", func(t *testing.T) {
		s, a, b := &slots{limit: 1}, newWaiter(), newWaiter()
		s.take(&a.claim, 2)
		s.take(&b.claim, 1)
		s.withdraw(&a.claim)
		s.put(1)
		if a.got != 0 || b.got != 1 {
			t.Errorf("the one who left got %d, the other %d, want 0 and 1", a.got, b.got)
		}
	})
}

// Whatever happens: never more slots than the limit, none lost, and nobody waits
// while one is free.
func TestSlots_are_conserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &slots{limit: rapid.IntRange(1, 4).Draw(t, "limit")}
		ws := []*waiter{newWaiter(), newWaiter(), newWaiter()}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w := ws[rapid.IntRange(0, len(ws)-1).Draw(t, "waiter")]
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				w.got += s.take(&w.claim, rapid.IntRange(1, 3).Draw(t, "n"))
			case 1:
				if w.got > 0 {
					w.got--
					s.put(1)
				}
			case 2:
				s.withdraw(&w.claim)
			}
			held, wants := 0, 0
			for _, w := range ws {
				held += w.got
				wants += w.want
			}
			if held != s.inUse() || held > s.limit {
				t.Fatalf("%d slots are held, %d counted, limit %d", held, s.inUse(), s.limit)
			}
			if wants > 0 && held < s.limit {
				t.Fatalf("%d wait while %d of %d are held", wants, held, s.limit)
			}
		}
	})
}
