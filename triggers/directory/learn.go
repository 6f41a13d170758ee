package directory

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const (
	// enoughFiles is how many files have to be seen before a shorter settle is proposed.
	enoughFiles = 100
	// afterReady is how long after it was ready a change of a file still says that
	// settle was too short; later it is another use of the file.
	afterReady = 5 * time.Minute
)

// learn takes over what a verdict about a file teaches.
func (w *watch) learn(f *file, v verdict) {
	if f.since != 0 && f.mtime != 0 && w.rules.news(f.stamp, v.stamp) {
		switch gap := time.Duration(v.since - f.since); {
		case gap <= 0 || f.old:
		case f.owed.has(ready):
			w.learned.paused(gap)
		case f.done:
			w.learned.changed(gap, w.rules.settle)
		}
	}
	if v.report.has(ready) {
		w.learned.ready(w.rules.settle)
	}
}

var _ triggers.Adviser = (*source)(nil)

// Advice proposes a settle from what was seen of files while they were written.
func (s *source) Advice(raw []byte) []graph.Warning {
	var c cursor
	if json.Unmarshal(raw, &c) != nil {
		return nil
	}
	return c.Learned.advice(s.settle)
}

// learned is what the gaps between changes of files have taught; it is stored in the
// cursor. Durations are ns.
type learned struct {
	Files   int64         `json:"files"`            // that became ready
	Longest time.Duration `json:"longest"`          // pause inside a file
	Again   int64         `json:"again,omitempty"`  // files that changed soon after they were ready
	Settle  time.Duration `json:"settle,omitempty"` // that counted then
}

// paused notes that a file changed that was not ready yet, after so long.
func (l *learned) paused(gap time.Duration) {
	l.Longest = max(l.Longest, gap)
}

// ready notes a file that became ready.
func (l *learned) ready(settle time.Duration) {
	if l.Settle != settle {
		*l = learned{Settle: settle, Longest: l.Longest} // counts belong to one settle
	}
	l.Files++
}

// changed notes that a file changed that had been ready, so long after its last change.
func (l *learned) changed(gap, settle time.Duration) {
	if gap > 0 && gap <= max(afterReady, 10*settle) {
		l.Again++
		l.Longest = max(l.Longest, gap)
	}
}

// proposal is the settle that what was seen asks for: twice the longest pause.
func (l *learned) proposal() time.Duration { return nice(2 * l.Longest) }

// nice is a duration that is at least as long, as people say it.
func nice(d time.Duration) time.Duration {
	for _, n := range niceDurations {
		if n >= d {
			return n
		}
	}
	return d.Round(time.Hour)
}

var niceDurations = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second,
	45 * time.Second, time.Minute, 90 * time.Second, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	15 * time.Minute, 20 * time.Minute, 30 * time.Minute, 45 * time.Minute, time.Hour, 90 * time.Minute, 2 * time.Hour,
}

// advice proposes a settle when the present one was too short, or is much longer than
// what was seen asks for.
func (l *learned) advice(settle time.Duration) []graph.Warning {
	if settle == 0 {
		settle = l.Settle
	}
	better := l.proposal()
	seen := fmt.Sprintf("longest pause inside a file: %s over %s", short(l.Longest), files(l.Files))
	switch {
	case settle == 0:
		return nil
	case l.Again > 0 && better > settle:
		return []graph.Warning{{Code: "settle_short", Message: fmt.Sprintf(
			"%s; %s changed again after being ready: set settle to %s", seen, files(l.Again), brief(better))}}
	case l.Files > 0 && 2*l.Longest > settle:
		return []graph.Warning{{Code: "settle_short", Message: fmt.Sprintf(
			"%s, which is close to the settle of %s: set settle to %s", seen, brief(settle), brief(better))}}
	case l.Files >= enoughFiles && l.Again == 0 && 4*better <= settle:
		return []graph.Warning{{Code: "settle_long", Message: fmt.Sprintf(
			"%s: a settle of %s would do, and events would come %s sooner", seen, brief(better), short(settle-better))}}
	}
	return nil
}

// brief writes a duration as it is written in a trigger.
func brief(d time.Duration) string {
	if d < 2*time.Minute && d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return short(d)
}

func files(n int64) string { return count(n, "file") }

// count writes a number of things.
func count[N int | int64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return thousands(int64(n)) + " " + thing + "s"
}

// thousands writes a number with commas.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
