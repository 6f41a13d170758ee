package triggers

import "time"

// waitReasons are why events may be held.
var waitReasons = [...]string{
	ReasonPaused, ReasonBatch, ReasonOverlap, ReasonBacklog, ReasonRate,
	ReasonReplacing, ReasonLoop, ReasonIncomplete, ReasonTrouble,
}

// waiting counts undecided events, by why they are.
type waiting struct {
	by     [len(waitReasons)]int
	oldest time.Time // zero: there are none
}

// waiting counts what is known of the trigger. k.mu is held.
func (k *keeper) waiting() waiting {
	w := waiting{oldest: k.aside.oldest}
	for i := range k.window {
		p := &k.window[i]
		if w.oldest.IsZero() || p.At.Before(w.oldest) {
			w.oldest = p.At
		}
		if p.State == EventHeld {
			w.add(p.Reason, 1)
		}
	}
	w.add(ReasonLoop, k.aside.loops)
	w.add(ReasonIncomplete, k.aside.incomplete)
	return w
}

// stuck counts those that the gate can't move: they wait for files that are missing, or
// for somebody's decision.
func (w *waiting) stuck() int {
	n := 0
	for i, r := range waitReasons {
		if r == ReasonLoop || r == ReasonIncomplete {
			n += w.by[i]
		}
	}
	return n
}

func (w *waiting) add(reason string, n int) {
	for i, r := range waitReasons {
		if r == reason {
			w.by[i] += n
		}
	}
}
