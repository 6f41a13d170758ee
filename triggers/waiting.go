package triggers

import "time"

// waitReasons are why events may be held.
var waitReasons = [...]string{
	ReasonPaused, ReasonBatch, ReasonOverlap, ReasonBacklog, ReasonRate,
	ReasonReplacing, ReasonRestored, ReasonLoop, ReasonIncomplete, ReasonTrouble,
}

// waiting counts undecided events, by why they are.
type waiting struct {
	by     [len(waitReasons)]int
	oldest time.Time // of those that are not stuck; zero: there are none
}

// waiting counts what is known of the trigger. k.mu is held.
func (k *keeper) waiting() waiting {
	var w waiting
	for i := range k.window {
		p := &k.window[i]
		if stuck := p.State == EventHeld && sticks(p.Reason); !stuck && (w.oldest.IsZero() || p.At.Before(w.oldest)) {
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
		if sticks(r) {
			n += w.by[i]
		}
	}
	return n
}

func sticks(reason string) bool { return reason == ReasonLoop || reason == ReasonIncomplete }

func (w *waiting) add(reason string, n int) {
	for i, r := range waitReasons {
		if r == reason {
			w.by[i] += n
		}
	}
}
