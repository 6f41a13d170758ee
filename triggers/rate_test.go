package triggers

import (
	"testing"
	"time"
)

func TestNoteFired_keeps_what_the_rate_has_to_know(t *testing.T) {
	k := &keeper{plan: &plan{spec: &spec{}}, firedKnown: true}
	k.plan.gate.Rate = Rate{N: 3, Per: time.Hour}
	var all []time.Time
	for range 100 {
		before := len(k.fired)
		k.noteFired(1)
		all = append(all, k.fired[len(k.fired)-1])
		if n := len(k.fired); n > 6 || n < min(before+1, 3) || cap(k.fired) > 16 {
			t.Fatalf("%d of %d are kept", n, cap(k.fired))
		}
		d := decider{gate: k.plan.gate, fired: k.fired, now: time.Now()}
		if want := len(all) < 3; d.allowed() != want {
			t.Fatalf("after %d firings: allowed %v", len(all), !want)
		}
		if len(all) >= 3 && !d.allowedAt().Equal(all[len(all)-3].Add(time.Hour)) {
			t.Fatal("it waits for another firing than the third to last")
		}
	}
	k.noteFired(10)
	if n := len(k.fired); n != 3 {
		t.Errorf("%d are kept after ten at once", n)
	}
}
