package store

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/latticed/latticed/triggers"
)

// history is a page of the events or firings of a trigger.
type history struct {
	table, column string // column holds the state
	states        []triggers.EventState
	path          string // of events, may be empty
	and           string // more conditions, with args
	args          []any
	limit         int
	after         string
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
		states = []triggers.EventState{""}
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

// walk finds the rows of one trigger in one state, or in all, that are older.
func (h *history) walk(st triggers.EventState, trigger, before int64) (string, []any) {
	index, where, args := historyIndex(h.table, h.column, st)
	of := "trigger = ?"
	if h.path != "" {
		index, of = "events_path", "+trigger = ? AND path = ?"
		args = append([]any{[]byte(h.path)}, args...)
	}
	q := fmt.Sprintf("SELECT n FROM %s INDEXED BY %s WHERE %s%s%s AND n < ? ORDER BY n DESC LIMIT ?", h.table, index, of, where, h.and)
	return q, slices.Concat([]any{trigger}, args, h.args, []any{before, h.limit + 1})
}

// historyIndex names the index that holds a state in order.
func historyIndex(table, column string, st triggers.EventState) (index, where string, args []any) {
	switch st {
	case "":
		return table + "_trigger", "", nil
	case triggers.EventFired:
		return table + "_trigger", " AND " + column + " = ?", []any{string(st)}
	case triggers.EventPending, triggers.EventHeld:
		if table == "events" {
			return "events_undecided", " AND firing IS NULL AND state = ?", []any{string(st)}
		}
	case triggers.EventSkipped, triggers.EventRejected, triggers.EventDead:
	}
	decided := ""
	if table == "events" {
		decided = " AND firing IS NOT NULL"
	}
	return table + "_not_fired", decided + " AND " + column + " <> 'fired' AND " + column + " = ?", []any{string(st)}
}
