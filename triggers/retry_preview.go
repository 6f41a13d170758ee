package triggers

import (
	"context"
	"slices"

	"github.com/latticed/latticed/graph"
)

// previewRetried is how many events a dry run of a retry puts through the checks; the
// rest is counted.
const previewRetried = 1000

// PreviewRetry is a dry run of Retry: which events would come again, how many they are,
// and what would become of them by the rules of the trigger as it is now. Nothing is
// stored. Overlap, rates and how many run are not considered: by then others may.
func (m *Manager) PreviewRetry(ctx context.Context, idOrName string, events []string, states []EventState) (n int, pv Preview, err error) {
	states, err = retryStates(events, states)
	if err != nil {
		return 0, pv, err
	}
	k, err := m.keeper(ctx, idOrName)
	if err != nil {
		return 0, pv, err
	}
	var first []Event
	r := retry{m: m, k: k, ids: events, states: states}
	err = r.each(ctx, func(es []Event) error {
		n += len(es)
		first = append(first, es[:min(len(es), previewRetried-len(first))]...)
		return nil
	})
	if err != nil {
		return 0, pv, err
	}
	d, err := m.draftPatch(ctx, k.id, []byte("{}"))
	if err != nil {
		return 0, pv, err
	}
	defer release(d.plan.made.Source)
	pv = Preview{Change: Unchanged, Counts: PreviewCounts{WouldFire: n}, Warnings: m.warnings(d)}
	pv.Warnings = slices.DeleteFunc(pv.Warnings, func(w graph.Warning) bool { return w.Code != warnPaused && w.Code != warnFailing })
	return n, pv, m.judge(ctx, d, first, &pv)
}
