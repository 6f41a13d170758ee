package triggertest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// ends returns what ended after a place, and the place to go on from.
func (x *ledgerTest) ends(after int64, limit int) ([]triggers.Ended, int64) {
	x.Helper()
	ends, place, err := x.l.Ends(x.Context(), after, limit)
	if err != nil {
		x.Fatal(err)
	}
	es, err := x.l.Ended(x.Context(), ends)
	if err != nil {
		x.Fatal(err)
	}
	for i, e := range es {
		if got := triggers.EndOf(&e.Dispatch, e.Seq); !reflect.DeepEqual(got, ends[i]) {
			x.Errorf("end %+v of %+v", ends[i], got)
		}
	}
	return es, place
}

func idsOf(es []triggers.Ended) []string {
	var ids []string
	for _, e := range es {
		ids = append(ids, e.ID)
	}
	return ids
}

// completed lets dispatches run and end, in this order.
func (x *ledgerTest) completed(ids ...string) {
	for _, id := range ids {
		x.contract.Begin(x.T, x.l, id)
		x.contract.End(x.T, x.l, id)
	}
}

func testEnded(x *ledgerTest) {
	ids := x.dispatches(x.a, 4)
	x.completed(ids[2], ids[0])
	all, place := x.ends(0, 10)
	if want := []string{ids[2], ids[0]}; !slices.Equal(idsOf(all), want) || all[0].Seq >= all[1].Seq || all[1].Seq != place {
		x.Fatalf("%+v, then %d", all, place)
	}
	if d := all[0]; d.Status != graph.Completed || d.EndedAt.IsZero() || d.TriggerID != x.a.ID || string(d.Inputs) != "{}" {
		x.Errorf("%+v", d)
	}
	if first, next := x.ends(0, 1); !slices.Equal(idsOf(first), ids[2:3]) || next != all[0].Seq {
		x.Errorf("the first of them: %+v, then %d", first, next)
	}
	if none, still := x.ends(place, 10); len(none) != 0 || still != place {
		x.Errorf("after them %+v, then %d", none, still)
	}
	x.completed(ids[3], ids[1])
	if more, _ := x.ends(place, 10); !slices.Equal(idsOf(more), []string{ids[3], ids[1]}) {
		x.Errorf("later %+v", more)
	}
}

func testEndedNow(x *ledgerTest) {
	if es, place := x.ends(-1, 10); len(es) != 0 || place != 0 {
		x.Errorf("at first %+v, %d", es, place)
	}
	ids := x.dispatches(x.a, 2)
	x.completed(ids[0])
	es, place := x.ends(-1, 10)
	if len(es) != 0 || place <= 0 {
		x.Errorf("%+v, %d", es, place)
	}
	x.completed(ids[1])
	if es, _ := x.ends(place, 10); !slices.Equal(idsOf(es), ids[1:]) {
		x.Errorf("from then on %+v", es)
	}
}

func testEndedPending(x *ledgerTest) {
	ids := x.dispatches(x.a, 2)
	x.contract.Begin(x.T, x.l, ids[1])
	x.fire(x.a, triggers.Decision{Cancel: 2})
	es, place := x.ends(0, 10)
	if !slices.Equal(idsOf(es), ids[:1]) || es[0].Status != graph.Cancelled {
		x.Errorf("what had not begun: %+v", es)
	}
	x.contract.End(x.T, x.l, ids[1])
	if es, _ := x.ends(place, 10); !slices.Equal(idsOf(es), ids[1:]) {
		x.Errorf("what ran: %+v", es)
	}
}

// follower makes a trigger that follows the ends of dispatches.
func (x *ledgerTest) follower(name string) triggers.Trigger {
	x.Helper()
	tr, err := x.l.CreateTrigger(x.Context(), triggers.Trigger{
		ID: "0190a3a1-0000-7000-8000-22222222222" + name, Name: "follows-" + name, Kind: "dispatch", Revision: 1,
		Spec: []byte("{}"), LatticeID: x.lattice, Owner: "ada", CreatedBy: "ada", RunAs: "ada", CreatedAt: time.Now(),
	})
	if err != nil {
		x.Fatal(err)
	}
	return tr
}

// follow fires a trigger once for the ends of some dispatches, and completes what it makes.
func (x *ledgerTest) follow(tr triggers.Trigger, of ...string) string {
	x.Helper()
	var es []triggers.Event
	ended, _ := x.ends(0, 100)
	for _, id := range of {
		e := x.event(fmt.Sprintf("%s of %d", id, x.n))
		e.Payload = fmt.Appendf(nil, `{"id":%q}`, id)
		for _, was := range ended { // as a source does
			if was.ID == id {
				e.Generation = len(slices.DeleteFunc(slices.Clone(was.Causes), func(c string) bool { return c != tr.ID }))
			}
		}
		es = append(es, e)
	}
	d := x.fired(es[0])
	for _, e := range es[1:] {
		d.EventIDs = append(d.EventIDs, e.ID)
	}
	x.record(tr, es, d)
	x.completed(d.Dispatches[0].ID)
	return d.Dispatches[0].ID
}

// wantCauses looks at the last end.
func (x *ledgerTest) wantCauses(want ...triggers.Trigger) {
	x.Helper()
	es, _ := x.ends(0, 100)
	last := es[len(es)-1]
	var ids []string
	for _, tr := range want {
		ids = append(ids, tr.ID)
	}
	if len(last.Causes) > 0 {
		slices.Sort(last.Causes[1:]) // beyond the first they are in no order
	}
	if len(ids) > 0 {
		slices.Sort(ids[1:])
	}
	if !slices.Equal(last.Causes, ids) {
		x.Errorf("causes %q, want %q", last.Causes, ids)
	}
}

func testCauses(x *ledgerTest) {
	b, c := x.follower("b"), x.follower("c")
	first := x.dispatches(x.a, 1)
	x.completed(first...)
	x.wantCauses(x.a)
	second := x.follow(b, first[0])
	x.wantCauses(b, x.a)
	third := x.follow(c, second)
	x.wantCauses(c, b, x.a)
	x.follow(b, third)
	x.wantCauses(b, b, c, x.a)
	fourth := x.follow(b, third)
	x.follow(b, fourth)
	x.wantCauses(b, b, b, c, x.a)
	x.follow(b, "nothing that is there")
	x.wantCauses(b)
}

func testCausesOfBatch(x *ledgerTest) {
	b, c := x.follower("b"), x.follower("c")
	var halves []string
	for _, id := range x.dispatches(x.a, 3) {
		x.completed(id)
		halves = append(halves, x.follow(b, id))
	}
	x.follow(c, halves...) // b took part three times, but only once one after the other
	x.wantCauses(c, b, x.a)
}
