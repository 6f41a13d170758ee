package store

import (
	"slices"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestChangedSince(t *testing.T) {
	s := openNew(t)
	tr, l := withTrigger(t, s, "a")
	e := event(t, "1")
	record(t, s, tr, batch(e, event(t, "2")), fired(e, dispatchOf(l))...)
	gone := cancelled(t, s, insert(t, s, dispatchOf(l)))
	if err := s.DeleteDispatch(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	all := func(from int64, limit int) []Change {
		var cs []Change
		for {
			page, reset, err := s.ChangedSince(t.Context(), from, limit)
			if err != nil || reset || len(page) > limit {
				t.Fatal(len(page), reset, err)
			}
			if len(page) == 0 {
				return cs
			}
			cs, from = append(cs, page...), page[len(page)-1].Seq
		}
	}
	cs := all(0, 500)
	kinds := map[Kind]int{}
	for i, c := range cs {
		if i > 0 && c.Seq <= cs[i-1].Seq {
			t.Errorf("order %d after %d", c.Seq, cs[i-1].Seq)
		}
		set := 0
		for _, is := range []bool{c.Dispatch != nil && c.Dispatch.ID == c.ID, c.Trigger != nil && c.Trigger.ID == c.ID, c.Event != nil && c.Event.ID == c.ID, c.Firing != nil && c.Firing.ID == c.ID, c.Deleted} {
			if is {
				set++
			}
		}
		if set != 1 {
			t.Errorf("%+v", c)
		}
		kinds[c.Kind]++
	}
	if kinds[KindDispatch] != 3 || kinds[KindTrigger] != 1 || kinds[KindEvent] != 2 || kinds[KindFiring] != 1 {
		t.Errorf("kinds %v", kinds)
	}
	for limit := 1; limit < 4; limit++ {
		if got := all(0, limit); len(got) != len(cs) {
			t.Errorf("by %d: %d, want %d", limit, len(got), len(cs))
		}
	}
	if last := cs[len(cs)-1]; !last.Deleted || last.ID != gone.ID || last.Seq != s.Seq() {
		t.Errorf("last %+v", last)
	}

	seq := s.Seq()
	runs := begin(t, s, 1)
	advance(t, s, graph.Step{Dispatch: runs[0].Dispatch.ID, Finish: &graph.DispatchEnd{Status: graph.Completed}})
	if cs := all(seq, 10); len(cs) != 1 || cs[0].Dispatch.Status != graph.Completed {
		t.Errorf("two changes of one dispatch: %+v", cs)
	}
	seq = s.Seq()
	if err := s.RemoveTrigger(t.Context(), tr.ID); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all(seq, 10) {
		got = append(got, string(c.Kind))
		if c.Event != nil && c.Event.State != triggers.EventSkipped {
			t.Errorf("%+v", c.Event)
		}
	}
	if !slices.Equal(got, []string{"firing", "event", "trigger"}) {
		t.Errorf("removal: %v", got)
	}
	if _, reset, err := s.ChangedSince(t.Context(), s.Seq()+1, 10); !reset || err != nil {
		t.Error("a number of another database is taken")
	}
}

func TestWatch(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	all, end := s.WatchAll()
	for range 3 {
		insert(t, s, dispatchOf(l))
	}
	<-all
	select {
	case <-all:
		t.Error("the channel holds more than one")
	default:
	}
	end()
	end()
	one, endOne := s.Watch("d")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := <-one; ok {
		t.Error("Close left the channel open")
	}
	endOne()
	late, endLate := s.Watch("d")
	if _, ok := <-late; ok {
		t.Error("a channel of a closed store is open")
	}
	endLate()
}
