package triggertest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Suite is what a kind tells about itself to be tested: there is one test for each
// sentence of the contract of triggers.Source.
type Suite struct {
	Kind triggers.Kind

	// Fields makes a fresh thing to watch and returns the fields of a trigger on it.
	Fields func(t *testing.T) map[string]any
	// Happen makes something happen to it that is at least one event of its own; n
	// differs from call to call.
	Happen func(t *testing.T, fields map[string]any, n int)
	// Ended is From.Ended of all dispatches, for a kind that follows their ends; nil: none end.
	Ended func(ctx context.Context, after int64, limit int) ([]triggers.Ended, int64, error)
	// Simulated runs the source with simulated time.
	Simulated bool
}

// patience is how long a real source may take.
const patience = 30 * time.Second

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	tests := []struct {
		name string
		test func(*run)
	}{
		{"with_no_cursor_it_emits_its_baseline_even_when_it_holds_nothing", testBaseline},
		{"it_says_that_it_works_once_it_has_caught_up", testHealth},
		{"it_returns_the_cause_when_it_is_told_to_stop_and_emits_no_more", testStop},
		{"it_reports_what_happens_each_once", testOnce},
		{"run_again_it_goes_on_where_it_left_off", testResume},
		{"it_reports_what_happened_while_it_did_not_run", testDowntime},
		{"it_returns_the_error_of_emit_and_reports_again_what_was_not_saved", testRefused},
		{"it_keeps_no_goroutine_while_it_waits", testWaits},
		{"its_payloads_have_declared_fields_only", testPayload},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s.Simulated {
				synctest.Test(t, func(t *testing.T) { tt.test(s.begin(t)) })
			} else {
				tt.test(s.begin(t))
			}
		})
	}
}
