package triggertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Contract is what a triggers.Ledger is tested with: there is one test for each
// sentence of the contract that is about events, firings and dispatches.
type Contract struct {
	// New makes a ledger with two triggers and a lattice that both may dispatch.
	New func(t *testing.T) (l triggers.Ledger, a, b triggers.Trigger, lattice string)
	// Begin makes a dispatch run, End completes one that runs.
	Begin, End func(t *testing.T, l triggers.Ledger, dispatch string)
}

// Run runs the tests.
func (c Contract) Run(t *testing.T) {
	for _, tt := range []struct {
		name string
		test func(*ledgerTest)
	}{
		{"a_known_key_is_dropped_with_the_decisions_that_name_it", testKnownKey},
		{"an_undecided_event_is_amended_and_waits_for_its_turn", testAmends},
		{"a_decided_event_is_not_amended", testAmendsDecided},
		{"an_event_may_be_amended_in_its_own_batch", testAmendsFresh},
		{"what_an_event_carries_comes_back", testCarries},
		{"next_is_kept_until_a_batch_says_another_or_none", testNext},
		{"a_decision_about_a_final_event_is_dropped", testFinal},
		{"cancel_asks_the_oldest_that_were_not_asked", testCancel},
		{"cancel_ends_what_has_not_begun", testCancelPending},
		{"cancel_goes_with_other_decisions", testCancelBeside},
		{"a_decision_that_cancels_does_nothing_else", testCancelAlone},
		{"recent_are_the_newest_firings_that_made_a_dispatch", testRecent},
		{"last_fired_are_the_newest_events_of_paths_with_their_dispatches", testLastFired},
		{"runs_tell_how_dispatches_stand", testRuns},
		{"an_event_is_found_by_its_id_under_its_trigger", testEvent},
		{"known_are_the_keys_that_events_have", testKnown},
		{"past_are_final_events_oldest_first", testPast},
		{"about_are_the_events_of_a_path_newest_first", testAbout},
		{"an_entity_is_found_by_its_key", testEntity},
		{"the_end_of_a_pause_is_an_update", testResumed},
		{"an_edit_leaves_alone_how_the_trigger_is_doing", testRevised},
		{"ends_come_in_their_order_and_once", testEnded},
		{"without_a_place_only_that_of_now_is_told", testEndedNow},
		{"an_end_before_the_begin_comes_too", testEndedPending},
		{"an_end_names_the_triggers_that_led_to_it", testCauses},
		{"of_several_ways_to_an_end_the_longest_counts", testCausesOfBatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := &ledgerTest{T: t, contract: c}
			x.l, x.a, x.b, x.lattice = c.New(t)
			tt.test(x)
		})
	}
}

// ledgerTest is one test with what it made.
type ledgerTest struct {
	*testing.T
	contract Contract
	l        triggers.Ledger
	a, b     triggers.Trigger
	lattice  string
	n        int
}

// event makes one with its key as the name of a file.
func (x *ledgerTest) event(key string) triggers.Event {
	x.n++
	return triggers.Event{
		ID: fmt.Sprintf("0190a3a1-%04d-7000-8000-000000000000", x.n), Key: key, Kind: "ready",
		Payload: fmt.Appendf(nil, `{"path":"/data/%s","n":%d}`, key, x.n), At: time.Now(),
	}
}

// record stores events and returns those that were new.
func (x *ledgerTest) record(tr triggers.Trigger, es []triggers.Event, ds ...triggers.Decision) []triggers.Event {
	x.Helper()
	rec, err := x.l.Record(x.Context(), tr.ID, tr.Revision, triggers.Batch{Events: es}, ds)
	if err != nil {
		x.Fatal(err)
	}
	for _, g := range rec.Dispatches {
		if g.Number == 0 || g.TriggerID != tr.ID || g.Status != graph.Pending {
			x.Errorf("it made %+v", g)
		}
	}
	return rec.Events
}

// stored stores events with these keys and returns them.
func (x *ledgerTest) stored(tr triggers.Trigger, keys ...string) []triggers.Event {
	x.Helper()
	var es []triggers.Event
	for _, key := range keys {
		es = append(es, x.event(key))
	}
	return x.record(tr, es)
}

func (x *ledgerTest) fire(tr triggers.Trigger, ds ...triggers.Decision) triggers.Fired {
	x.Helper()
	out, err := x.l.Fire(x.Context(), tr.ID, tr.Revision, ds)
	if err != nil {
		x.Fatal(err)
	}
	return out
}

// fired decides that an event makes a dispatch.
func (x *ledgerTest) fired(e triggers.Event) triggers.Decision {
	x.n++
	return triggers.Decision{EventIDs: []string{e.ID}, State: triggers.EventFired, Reason: triggers.ReasonEvent, Dispatches: []graph.Dispatch{{
		ID: fmt.Sprintf("0190a3a1-%04d-7000-8000-111111111111", x.n), LatticeID: x.lattice, Inputs: []byte("{}"),
		Owner: "ada", CreatedBy: "ada", RunAs: "ada",
	}}}
}

func decided(s triggers.EventState, reason string, es ...triggers.Event) triggers.Decision {
	d := triggers.Decision{State: s, Reason: reason}
	for _, e := range es {
		d.EventIDs = append(d.EventIDs, e.ID)
	}
	return d
}

// dispatches fires so many events of a trigger, one by one, and returns the ids of
// their dispatches.
func (x *ledgerTest) dispatches(tr triggers.Trigger, n int) []string {
	x.Helper()
	var ids []string
	for range n {
		e := x.stored(tr, fmt.Sprintf("dispatched-%d", x.n))[0]
		ids = append(ids, x.fire(tr, x.fired(e)).Dispatches[0].ID)
	}
	return ids
}

func (x *ledgerTest) event1(tr triggers.Trigger, id string) triggers.Event {
	x.Helper()
	e, err := x.l.Event(x.Context(), tr.ID, id)
	if err != nil {
		x.Fatal(err)
	}
	return e
}

func (x *ledgerTest) wantCounts(tr triggers.Trigger, want triggers.Counts) {
	x.Helper()
	if c, err := x.l.Counts(x.Context(), tr.ID); err != nil || c != want {
		x.Errorf("counts %+v, want %+v (%v)", c, want, err)
	}
}

func (x *ledgerTest) dispatch(id string) graph.Dispatch {
	x.Helper()
	d, err := x.l.Dispatch(x.Context(), id)
	if err != nil {
		x.Fatal(err)
	}
	return d
}

func keysOf(es []triggers.Event) []string {
	var keys []string
	for _, e := range es {
		keys = append(keys, e.Key)
	}
	return keys
}

func (x *ledgerTest) wantKeys(what string, es []triggers.Event, want ...string) {
	x.Helper()
	if got := keysOf(es); !slices.Equal(got, want) {
		x.Errorf("%s: %q, want %q", what, got, want)
	}
}
