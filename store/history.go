package store

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/latticed/latticed/triggers"
)

// history is a page of the events or firings of a trigger.
type history struct {
	table  string
	states []triggers.EventState
	path   string // of events, may be empty
	and    string // more conditions, with args
	args   []any
	limit  int
	after  string
}

// history returns the rows of a page, newest first: one ordered walk per trigger and
// state.
func (r *reader) history(h history, trigger string) ([]int64, string, error) {
	c, err := parseCursor(h.table, h.after)
	if err != nil {
		return nil, "", err
	}
	triggerRows, err := triggerNumbers(r.db, trigger)
	if err != nil {
		return nil, "", err
	}
	before := int64(1) << 62
	if c != nil {
		before = c.N
	}
	states := h.states
	if len(states) == 0 {
		states = h.all()
	}
	var all []int64
	for _, t := range triggerRows {
		for _, st := range states {
			q, args := h.walk(st, t, before)
			var ns []int64
			if err := r.db.Raw(q, args...).Scan(&ns).Error; err != nil {
				return nil, "", err
			}
			all = append(all, ns...)
		}
	}
	slices.SortFunc(all, func(a, b int64) int { return cmp.Compare(b, a) })
	all = slices.Compact(all)
	if len(all) <= h.limit {
		return all, "", nil
	}
	return all[:h.limit], pageCursor{K: h.table, N: all[h.limit-1]}.String(), nil
}

// all are the states to walk along for all rows; empty: one walk finds them.
func (h *history) all() []triggers.EventState {
	if h.table == "firings" {
		return []triggers.EventState{triggers.EventFired, triggers.EventSkipped, triggers.EventRejected, triggers.EventDead}
	}
	return []triggers.EventState{""}
}

// walk finds the rows of one trigger in one state, or in all, that are older.
func (h *history) walk(st triggers.EventState, trigger, before int64) (string, []any) {
	index, where, args := "firings_decision", " AND decision = ?", []any{string(st)}
	if h.table == "events" {
		index, where, args = eventsIndex(st)
	}
	of := "trigger = ?"
	if h.path != "" {
		index, of = "events_path", "+trigger = ? AND path = ?"
		args = append([]any{[]byte(h.path)}, args...)
	}
	q := fmt.Sprintf("SELECT n FROM %s INDEXED BY %s WHERE %s%s%s AND n < ? ORDER BY n DESC LIMIT ?", h.table, index, of, where, h.and)
	return q, slices.Concat([]any{trigger}, args, h.args, []any{before, h.limit + 1})
}

// eventsIndex names the index that holds the events of a state in order.
func eventsIndex(st triggers.EventState) (index, where string, args []any) {
	switch st {
	case "":
		return "events_trigger", "", nil
	case triggers.EventFired:
		return "events_trigger", " AND state = ?", []any{string(st)}
	case triggers.EventPending, triggers.EventHeld:
		return "events_undecided", " AND firing IS NULL AND state = ?", []any{string(st)}
	case triggers.EventSkipped, triggers.EventRejected, triggers.EventDead:
	}
	return "events_not_fired", " AND firing IS NOT NULL AND state <> 'fired' AND state = ?", []any{string(st)}
}
