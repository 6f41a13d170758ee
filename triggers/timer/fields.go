package timer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

const (
	maxInstants = 1000   // of a list
	maxCap      = 10_000 // ticks that are caught up with at once
	completion  = "completion"
)

// ways are the fields of which one says when.
var ways = [...]string{"every", "time_gap", "cron", "at"}

// readSchedule reads when a trigger ticks, and what was taken from this machine for it.
func readSchedule(f *triggers.Fields) (s *source, fill map[string]any) {
	s = &source{}
	var given []string
	for _, way := range ways {
		if f.Has(way) {
			given = append(given, way)
		}
		f.Alias(way)
	}
	zone, name, fill := readZone(f)
	s.zone = zone
	rule := readDST(f)
	switch {
	case len(given) == 0:
		f.Refuse("every", graph.CodeMissing, "say when: every (such as 10m), time_gap (seconds), cron (such as 0 2 * * *) or at (an instant)")
	case len(given) == 2 && given[0] == "every" && given[1] == "time_gap":
		f.Refuse("every", graph.CodeBadValue, "time_gap and every mean the same: give one of them")
	case len(given) > 1:
		f.Refuse(given[1], graph.CodeBadValue, "give one of every, time_gap, cron and at, not %s", strings.Join(given, " and "))
	case given[0] == "cron":
		s.readCron(f, name, rule)
	case given[0] == "at":
		s.readAt(f, rule)
	default:
		s.every = f.Duration(given[0], fastest, fastest).Truncate(time.Microsecond)
	}
	if s.every > 0 && f.Has("dst") {
		f.Refuse("dst", graph.CodeBadValue, "means nothing without cron or at: an interval doesn't look at the clock on the wall")
	}
	s.readAfter(f)
	return s, fill
}

func readDST(f *triggers.Fields) dst {
	var rule dst
	f.Nested("dst", func(f *triggers.Fields) {
		rule.gap = f.OneOf("gap", gapShift, gapShift, gapSkip)
		rule.fold = f.OneOf("fold", foldFirst, foldFirst, foldLast, foldBoth)
	})
	return rule
}

func (s *source) readCron(f *triggers.Fields, zone string, rule dst) {
	text := f.Required("cron", "write for example 0 2 * * * for 02:00 each day")
	if text == "" {
		return
	}
	if every, ok := strings.CutPrefix(strings.TrimSpace(text), everyPrefix); ok {
		d, err := graph.ParseDuration(strings.TrimSpace(every))
		switch {
		case err != nil:
			f.Refuse("cron", graph.CodeBadValue, "@every: %v", err)
		case d < fastest:
			f.Refuse("cron", graph.CodeBadValue, "@every: must be at least %s, not %s", fastest, d)
		default:
			s.every = d.Truncate(time.Microsecond)
		}
		return
	}
	c, fixedHours, err := parseCron(text)
	if err != nil {
		f.Refuse("cron", graph.CodeBadValue, "%v", err)
		return
	}
	s.fixed = c.inZone(s.zone, rule, fixedHours)
	s.rule = strings.Join([]string{"cron", strings.Join(strings.Fields(text), " "), zone, rule.gap, rule.fold}, " ")
}

// readAt reads instants: RFC 3339, or what the clock on the wall shows.
func (s *source) readAt(f *triggers.Fields, rule dst) {
	texts := f.Words("at", nil)
	switch {
	case texts == nil:
		return
	case len(texts) == 0:
		f.Refuse("at", graph.CodeBadValue, "lists no instant; write for example 2026-12-24T18:00:00")
		return
	case len(texts) > maxInstants:
		f.Refuse("at", graph.CodeTooLarge, "may list %d instants at most, not %d; use cron for what repeats", maxInstants, len(texts))
		return
	}
	var instants list
	for i, text := range texts {
		found, err := parseInstant(text, s.zone, rule)
		if err != nil {
			at := "at"
			if len(texts) > 1 {
				at = fmt.Sprintf("at[%d]", i)
			}
			f.Refuse(at, graph.CodeBadValue, "%v", err)
		}
		instants = append(instants, found...)
	}
	slices.SortFunc(instants, time.Time.Compare)
	instants = slices.CompactFunc(instants, time.Time.Equal)
	s.fixed = instants
	keys := make([]string, len(instants))
	for i, at := range instants {
		keys[i] = at.UTC().Format(instant)
	}
	s.rule = "at " + strings.Join(keys, " ")
}

// walls are the ways to write what a clock on the wall shows.
var walls = [...]string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

func parseInstant(text string, zone *time.Location, rule dst) (list, error) {
	text = strings.TrimSpace(text)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04Z07:00", text) // people leave the seconds out
	}
	if err == nil {
		if t.Year() < 1900 {
			return nil, fmt.Errorf("%s is too long ago", quote(text))
		}
		return list{t.Truncate(time.Microsecond)}, nil
	}
	for _, layout := range walls {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		seconds := readings(zone, rule, t.Unix())
		if len(seconds) == 0 {
			return nil, fmt.Errorf("the clocks of %s never show %s: they are put forward then, and dst.gap is skip", zone, text)
		}
		var found list
		for _, s := range seconds {
			found = append(found, time.Unix(s, int64(t.Nanosecond())).Truncate(time.Microsecond))
		}
		return found, nil
	}
	return nil, fmt.Errorf("%s is not an instant; write 2026-12-24T18:00:00+01:00, or 2026-12-24T18:00:00 for the clock of the time zone", quote(text))
}

func (s *source) readAfter(f *triggers.Fields) {
	if !f.Has("after") {
		f.Alias("after")
		return
	}
	s.completion = f.OneOf("after", completion, completion) == completion
	if s.fixed != nil || f.Has("at") {
		s.completion = false
		f.Refuse("after", graph.CodeBadValue, "goes with every only: so long after the last dispatch has ended")
	}
	if s.completion {
		s.rule = "after " + completion
	}
}

func readPolicy(f *triggers.Fields, completion bool) policy {
	p := policy{
		grace:   inTime,
		catchUp: f.OneOf("catch_up", catchUpLast, catchUpNone, catchUpLast, catchUpAll),
		window:  f.Duration("window", inWindow, time.Minute),
		most:    f.Int("cap", atMost, 1, maxCap),
	}
	if completion && p.catchUp == catchUpAll {
		f.Refuse("catch_up", graph.CodeBadValue, "can't be all with after: completion: while nothing runs, one tick is due and no more")
	}
	return p
}

// narrow warns of a window in which not two instants fit although all are to be caught
// up with.
func narrow(s *source) []graph.Warning {
	if s.catchUp != catchUpAll {
		return nil
	}
	gap := s.every
	if s.fixed != nil {
		gap = closest(s.fixed, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	if gap == 0 || s.window >= 2*gap {
		return nil
	}
	return []graph.Warning{{Code: "window_short", Message: fmt.Sprintf(
		"catch_up is all, but of what is missed one tick at most is made up for: window is %s, and from one tick to the next it is %s; choose a longer window, such as %s",
		hours(s.window), hours(gap), hours(7*gap))}}
}

// hours writes a duration in whole seconds.
func hours(d time.Duration) string { return graph.Span(d.Truncate(time.Second)) }

func readJitter(f *triggers.Fields, s *source) jitter {
	most := f.Duration("jitter", 0, 0).Truncate(time.Microsecond)
	if most == 0 {
		return jitter{}
	}
	if s.completion {
		f.Refuse("jitter", graph.CodeBadValue, "means nothing with after: completion")
	}
	gap := s.every
	if s.fixed != nil {
		gap = closest(s.fixed, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	if gap > 0 && most > gap {
		f.Refuse("jitter", graph.CodeBadValue, "must not be above the time between two instants (%s), not %s", graph.Span(gap), graph.Span(most))
	}
	name := ""
	if f.Has("name") {
		name = f.Text("name", "")
	}
	return jitter{most: most, name: name}
}

// over says that nothing is left of a list of instants.
func over(last time.Time) error {
	return &graph.Invalid{Problems: []graph.Problem{{
		Path: "at", Code: graph.CodeBadValue,
		Message: fmt.Sprintf("%s is over; give an instant that is still to come, or fire the trigger by hand", last.Format(time.RFC3339)),
	}}}
}
