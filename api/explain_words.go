package api

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// reasons says for people why an event is held or was skipped.
var reasons = map[string]string{
	triggers.ReasonPaused:     "the trigger is paused",
	triggers.ReasonBatch:      "the batch is not full",
	triggers.ReasonOverlap:    "as many of its dispatches run as may at a time",
	triggers.ReasonBacklog:    "older events are decided first",
	triggers.ReasonRate:       "as many have fired as the rate allows",
	triggers.ReasonRestored:   "the daemon was restored from a backup, and nobody has let it go on yet",
	triggers.ReasonReplacing:  "the dispatch that it replaces has not ended yet",
	triggers.ReasonLoop:       "the trigger seems to feed itself",
	triggers.ReasonIncomplete: "the deadline came before all of it was there",
	triggers.ReasonSuperseded: "a later event came while it waited",
	triggers.ReasonCap:        "more was missed than is caught up with",
	triggers.ReasonCondition:  "`when` was false",
	triggers.ReasonWindow:     "it was noticed too late",
	triggers.ReasonDuplicate:  "an event with this dedupe_key had fired before",
	triggers.ReasonObserved:   "the trigger only looks at what comes (observe)",
	triggers.ReasonResumed:    "the trigger was resumed without what was held",
	triggers.ReasonTrouble:    "it could not be decided, and is tried again",
	triggers.ReasonCatchUp:    "what was missed is not caught up with",
	triggers.ReasonIgnored:    "the trigger leaves it out by now",
	"trigger_removed":         "the trigger was removed",
}

// reason is a reason in words, with its code and with what comes after it.
func reason(r string) string {
	code, more, _ := strings.Cut(r, ": ")
	if said := reasons[code]; said != "" {
		return said + " (" + code + ")" + because(more)
	}
	return r
}

// outcome is what became of an event: "reported as ready at …, and …".
func (t told) outcome() string {
	e := t.event
	said := fmt.Sprintf("reported as %s at %s and ", e.Kind, when(e.At))
	switch e.State {
	case triggers.EventHeld:
		return said + "is held: " + reason(e.Reason) + blocked(t.blockedBy)
	case triggers.EventSkipped:
		return said + "was skipped: " + reason(e.Reason)
	case triggers.EventRejected:
		return said + "was rejected: " + e.Reason
	case triggers.EventDead:
		return said + "could not be decided: " + e.Reason + "; fix that and retry the event"
	case triggers.EventFired:
		return said + t.ran()
	case triggers.EventPending:
	}
	return said + "is about to be decided"
}

// blocked names what a held event waits for.
func blocked(by []graph.Dispatch) string {
	if len(by) == 0 {
		return ""
	}
	said := fmt.Sprintf("; dispatch %d %s", by[0].Number, stands(by[0]))
	if len(by) > 1 {
		said += ", and others"
	}
	return said
}

// namedSwept is how many dispatches of one event are named one by one.
const namedSwept = 3

// ran is what became of the dispatches of an event that has fired.
func (t told) ran() string {
	said := "became "
	if t.firing != nil && len(t.firing.EventIDs) > 1 {
		said = fmt.Sprintf("became, with %d others, ", len(t.firing.EventIDs)-1)
	}
	var all []string
	for _, d := range t.dispatches {
		all = append(all, fmt.Sprintf("dispatch %d, which %s", d.Number, stands(d)))
	}
	switch {
	case len(all) > 0 && len(t.firing.DispatchIDs) > namedSwept:
		return fmt.Sprintf("%s%d dispatches of a sweep, the first of them %s", said, len(t.firing.DispatchIDs), all[0])
	case len(all) > 0:
		return said + strings.Join(all, " and ")
	case t.removed > 0:
		return said + "a dispatch that was removed since"
	}
	return "has fired"
}

// stands says how a dispatch is doing: "completed at …".
func stands(d graph.Dispatch) string {
	switch d.Status {
	case graph.New:
		return "was not started yet"
	case graph.Pending:
		return "has not begun" + waits(d.Waiting)
	case graph.Running:
		return "has been running since " + when(d.StartedAt) + waits(d.Waiting)
	case graph.Failed:
		return "failed at " + when(d.EndedAt) + wrong(d.Error)
	case graph.Cancelled:
		return "was cancelled at " + when(d.EndedAt) + wrong(d.Error)
	case graph.Completed, graph.Skipped, graph.Lost, graph.Unknown:
	}
	return string(d.Status) + " at " + when(d.EndedAt)
}

func waits(w *graph.Waiting) string {
	if w == nil {
		return ""
	}
	return ": " + w.Detail
}

func wrong(e *graph.Error) string {
	switch {
	case e == nil:
		return ""
	case e.Electron != "":
		return ": electron " + e.Electron + ": " + e.Message
	}
	return ": " + e.Message
}

// dispatchSentence says how a dispatch stands and what made it: line is the dispatch
// and those it came from, back to the one that the trigger made, if one did.
func dispatchSentence(line []graph.Dispatch, es []graph.Electron, t *triggers.Trigger, st story) string {
	d := line[0]
	said := fmt.Sprintf("dispatch %d %s", d.Number, stands(d))
	if d.Waiting == nil {
		for _, e := range es {
			if e.Waiting != nil && e.Waiting.Code != "upstream" {
				said += fmt.Sprintf("; electron %s waits: %s", e.Name, e.Waiting.Detail)
				break
			}
		}
	}
	for i, before := range line[1:] {
		if line[i].RootID != line[i].ID {
			said += fmt.Sprintf("; it is part of dispatch %d", before.Number)
		} else {
			said += fmt.Sprintf("; %s made it at %s from dispatch %d", line[i].CreatedBy, when(line[i].CreatedAt), before.Number)
		}
	}
	cause := line[len(line)-1]
	which := "it"
	if len(line) > 1 {
		which = "that"
	}
	if t == nil {
		return said + fmt.Sprintf("; %s made %s at %s, no trigger did", cause.CreatedBy, which, when(cause.CreatedAt))
	}
	said += fmt.Sprintf("; trigger %s made %s at %s", t.Name, which, when(cause.CreatedAt))
	if len(st) == 0 {
		return said + "; why is no longer kept"
	}
	said += " because of " + about(st[0].event)
	if f := st[0].firing; f != nil && len(f.EventIDs) > 1 {
		said += fmt.Sprintf(" and %d other events", len(f.EventIDs)-1)
	}
	return said
}

// about names what an event is about.
func about(e triggers.Event) string {
	var p struct {
		Path, Time, Table string
		Number            int64
	}
	switch {
	case json.Unmarshal(e.Payload, &p) != nil:
	case p.Path != "":
		return fmt.Sprintf("%s (%s at %s)", show(filepath.Base(p.Path)), e.Kind, when(e.At))
	case e.Kind == "ended":
		return fmt.Sprintf("the end of dispatch %d", p.Number)
	case e.Kind == "row":
		return fmt.Sprintf("row %s of %s (seen at %s)", show(e.Key), show(p.Table), when(e.At))
	case e.Kind == "rows":
		return fmt.Sprintf("rows in %s (seen at %s)", show(p.Table), when(e.At))
	case e.Kind == "delivery":
		return fmt.Sprintf("the delivery %s (at %s)", show(e.Key), when(e.At))
	case p.Time != "":
		return fmt.Sprintf("the instant %s", p.Time)
	case e.Kind == "manual":
		return "an event made by hand"
	}
	return fmt.Sprintf("an event of kind %s (%s)", e.Kind, e.Key)
}
