package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/graph"
)

func TestInsertDispatch(t *testing.T) {
	t.Run("fills in what the store knows and keeps what it was given", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "xrd", 3)
		parent := insert(t, s, dispatchOf(l))
		d := dispatchOf(l)
		d.Labels, d.Note, d.Keep, d.ParentID, d.Waiting = map[string]string{"sample": "A1", "ü": "'x'"}, "look", true, parent.ID, &graph.Waiting{Code: "slots"}
		got := insert(t, s, d)
		if got.Number != 2 || got.ID == "" || got.RootID != got.ID || got.LatticeName != "xrd" || got.Total != 3 ||
			got.Counts.Pending != 3 || got.CreatedAt.IsZero() || got.Seq == 0 {
			t.Errorf("%+v", got)
		}
		if diff := cmp.Diff(got, must(s.Dispatch(t.Context(), got.ID))(t)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(got, must(s.Dispatch(t.Context(), "2"))(t)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("is refused when what it is made from was removed meanwhile", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "xrd", 1)
		kept, removed := insert(t, s, dispatchOf(l)), insert(t, s, dispatchOf(l))
		if err := s.DeleteDispatch(t.Context(), cancelled(t, s, removed).ID); err != nil {
			t.Fatal(err)
		}
		again := dispatchOf(l)
		again.ParentID = removed.ID
		if _, err := s.InsertDispatch(t.Context(), again); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
		ds := sweepOf(t, l, "again", 2, 1)
		ds[0].ParentID, ds[1].ParentID = kept.ID, removed.ID
		if _, err := s.InsertSweep(t.Context(), ds, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("in a sweep: %v", err)
		}
		if n := rows(t, s, "dispatches"); n != 1 {
			t.Errorf("%d dispatches are there", n)
		}
	})

	t.Run("numbers have no gaps after a refusal and go on after a restart", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "xrd", 1)
		first := insert(t, s, dispatchOf(l))
		if _, err := s.InsertDispatch(t.Context(), first); err == nil {
			t.Error("an id was taken twice")
		}
		unknown := dispatchOf(l)
		unknown.LatticeID = strings.Repeat("0", 64)
		if _, err := s.InsertDispatch(t.Context(), unknown); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown lattice: %v", err)
		}
		second := insert(t, s, dispatchOf(l))
		if err := s.DeleteDispatch(t.Context(), cancelled(t, s, second).ID); err != nil {
			t.Fatal(err)
		}
		seq := s.Seq()
		s = reopen(t, s)
		third := insert(t, s, dispatchOf(l))
		if second.Number != 2 || third.Number != 3 || third.Seq <= seq || s.Seq() != third.Seq {
			t.Errorf("numbers %d %d, seq %d after %d", second.Number, third.Number, third.Seq, seq)
		}
	})

	t.Run("seq does not fall back when what had the last one is deleted", func(t *testing.T) {
		s := openNew(t)
		d := cancelled(t, s, insert(t, s, dispatchOf(withLattice(t, s, "x", 1))))
		if err := s.DeleteDispatch(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		seq := s.Seq()
		if s = reopen(t, s); s.Seq() != seq {
			t.Errorf("seq %d, was %d", s.Seq(), seq)
		}
	})

	t.Run("nothing begins as running, and no trigger is claimed", func(t *testing.T) {
		s := openNew(t)
		d := dispatchOf(withLattice(t, s, "x", 1))
		d.Status = graph.Running
		if _, err := s.InsertDispatch(t.Context(), d); err == nil {
			t.Error("running was taken")
		}
		d.Status, d.TriggerID = graph.Pending, "t"
		if _, err := s.InsertDispatch(t.Context(), d); err == nil {
			t.Error("a dispatch without its firing was taken")
		}
	})
}

func cancelled(t testing.TB, s *Store, d graph.Dispatch) graph.Dispatch {
	t.Helper()
	d, _, err := s.RequestCancel(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestStartAndCancel(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "two", 2)
	tpl := dispatchOf(l)
	tpl.Status = graph.New
	d := insert(t, s, tpl)
	if d = must(s.StartDispatch(t.Context(), d.ID))(t); d.Status != graph.Pending {
		t.Errorf("started: %+v", d)
	}
	if _, err := s.StartDispatch(t.Context(), d.ID); !errors.Is(err, graph.ErrStale) {
		t.Errorf("second start: %v", err)
	}
	if _, err := s.StartDispatch(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("start of nothing: %v", err)
	}
	if d = cancelled(t, s, d); d.Status != graph.Cancelled || d.EndedAt.IsZero() || d.Counts.Cancelled != 2 || d.Reason != "cancelled" {
		t.Errorf("cancelled: %+v", d)
	}
	if e := must(s.Electron(t.Context(), d.ID, "e1"))(t); e.Status != graph.Cancelled || e.EndedAt.IsZero() {
		t.Errorf("its electron: %+v", e)
	}
	if es, _, err := s.Electrons(t.Context(), d.ID, []graph.Status{graph.Cancelled}, "", 0); err != nil || len(es) != 2 {
		t.Errorf("cancelled electrons %v %v", es, err)
	}
	run := cancelled(t, s, claimed(t, s, l))
	if run.Status != graph.Running || run.CancelRequestedAt.IsZero() {
		t.Errorf("running: %+v", run)
	}
	again := cancelled(t, s, run)
	if !again.CancelRequestedAt.Equal(run.CancelRequestedAt) {
		t.Errorf("asked twice: %+v", again)
	}
}

func TestPatchDispatch(t *testing.T) {
	s := openNew(t)
	d := dispatchOf(withLattice(t, s, "x", 1))
	d.Labels = map[string]string{"a": "1", "b": "2"}
	insert(t, s, d)
	note, keep, two := "see notebook 7", true, "22"
	d = must(s.PatchDispatch(t.Context(), "1", DispatchPatch{Labels: map[string]*string{"a": nil, "b": &two, "c": &note}, Note: &note, Keep: &keep}))(t)
	if diff := cmp.Diff(map[string]string{"b": "22", "c": note}, d.Labels); diff != "" || d.Note != note || !d.Keep {
		t.Errorf("%+v %s", d, diff)
	}
	if diff := cmp.Diff(d, must(s.Dispatch(t.Context(), d.ID))(t)); diff != "" {
		t.Error(diff)
	}
	for label, want := range map[string]int{"a=1": 0, "b=2": 0, "b=22": 1} {
		k, v, _ := strings.Cut(label, "=")
		ds, _, err := s.Dispatches(t.Context(), DispatchFilter{Labels: map[string]string{k: v}})
		if err != nil || len(ds) != want {
			t.Errorf("label %s: %d found, %v", label, len(ds), err)
		}
	}
	d = must(s.PatchDispatch(t.Context(), d.ID, DispatchPatch{Labels: map[string]*string{"b": nil, "c": nil}}))(t)
	if d.Labels != nil || d.Note != note {
		t.Errorf("%+v", d)
	}
}

// names are the notes of dispatches, which the tests below use as names.
func names(ds []graph.Dispatch) string {
	var s []string
	for _, d := range ds {
		s = append(s, d.Note)
	}
	return strings.Join(s, " ")
}

func TestDispatches(t *testing.T) {
	var hours atomic.Int64
	s := openAt(t, filepath.Join(t.TempDir(), "s"), Options{Now: func() time.Time {
		return time.Date(2026, 1, 1, int(hours.Load()), 0, 0, 0, time.UTC)
	}})
	xrd, fit := withLattice(t, s, "xrd_integrate", 1), withLattice(t, s, "fit", 1)
	other := chain(t, "fit", 2) // the same name, another lattice
	if _, err := s.InsertLattice(t.Context(), other, false, "anna"); err != nil {
		t.Fatal(err)
	}
	add := func(note string, l *graph.Lattice, change func(*graph.Dispatch)) graph.Dispatch {
		hours.Add(1)
		d := dispatchOf(l)
		d.Note = note
		if change != nil {
			change(&d)
		}
		return insert(t, s, d)
	}
	a := add("a", xrd, func(d *graph.Dispatch) { d.Labels = map[string]string{"sample": "A1", "run": "7"} })
	b := add("b", fit, func(d *graph.Dispatch) { d.Owner, d.ParentID = "ben", a.ID })
	c := add("c", other, func(d *graph.Dispatch) {
		d.Labels, d.Inputs = map[string]string{"sample": "A1"}, []byte(`{"image":"/data/ü b.tif","bins":16,"opts":{"x":[1,2]},"deep":true,"none":null}`)
	})
	d := add("d", xrd, func(d *graph.Dispatch) { d.Status = graph.New })
	e := add("e", xrd, func(d *graph.Dispatch) { d.RootID, d.ParentID = a.ID, a.ID })
	cancelled(t, s, b)
	tr, err := s.CreateTrigger(t.Context(), triggerOn(d, "scans"))
	if err != nil {
		t.Fatal(err)
	}
	ev := event(t, "f1")
	f := dispatchOf(xrd)
	f.Note, f.ParentID = "f", d.ID
	hours.Add(1)
	if _, err := s.Record(t.Context(), tr.ID, 1, batch(ev), fired(ev, f)); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct {
		f    DispatchFilter
		want string
	}{
		"all, newest first, without sublattices": {DispatchFilter{}, "f d c b a"},
		"oldest first":                           {DispatchFilter{Ascending: true}, "a b c d f"},
		"status":                                 {DispatchFilter{Status: []graph.Status{graph.New}}, "d"},
		"several statuses":                       {DispatchFilter{Status: []graph.Status{graph.New, graph.Cancelled, graph.New, graph.Failed}}, "d b"},
		"lattice by name":                        {DispatchFilter{Lattice: "fit"}, "c b"},
		"lattice by id":                          {DispatchFilter{Lattice: fit.ID}, "b"},
		"lattice unknown":                        {DispatchFilter{Lattice: "nothing"}, ""},
		"trigger by name":                        {DispatchFilter{Trigger: "scans"}, "f"},
		"trigger by id":                          {DispatchFilter{Trigger: tr.ID}, "f"},
		"trigger unknown":                        {DispatchFilter{Trigger: "nothing"}, ""},
		"label":                                  {DispatchFilter{Labels: map[string]string{"sample": "A1"}}, "c a"},
		"labels together":                        {DispatchFilter{Labels: map[string]string{"sample": "A1", "run": "7"}}, "a"},
		"label with another value":               {DispatchFilter{Labels: map[string]string{"sample": "A"}}, ""},
		"owner":                                  {DispatchFilter{Owner: "ben"}, "b"},
		"parent by id":                           {DispatchFilter{Parent: a.ID}, "b"},
		"parent by number":                       {DispatchFilter{Parent: "1"}, "b"},
		"parent unknown":                         {DispatchFilter{Parent: "99"}, ""},
		"root with its sublattices":              {DispatchFilter{Root: a.ID}, "e a"},
		"root by number and parent":              {DispatchFilter{Root: "1", Parent: "1"}, "e"},
		"root unknown":                           {DispatchFilter{Root: "nobody"}, ""},
		"since":                                  {DispatchFilter{Since: c.CreatedAt}, "f d c"},
		"until":                                  {DispatchFilter{Until: c.CreatedAt}, "b a"},
		"since, until and a label":               {DispatchFilter{Since: b.CreatedAt, Until: d.CreatedAt, Labels: map[string]string{"sample": "A1"}}, "c"},
		"input as text":                          {DispatchFilter{Inputs: map[string]string{"image": "/data/ü b.tif"}}, "c"},
		"input as number":                        {DispatchFilter{Inputs: map[string]string{"bins": "16"}}, "c"},
		"input as JSON":                          {DispatchFilter{Inputs: map[string]string{"opts": `{"x":[1,2]}`, "deep": "true", "none": "null"}}, "c"},
		"input that differs":                     {DispatchFilter{Inputs: map[string]string{"bins": "17"}}, ""},
		"input with a name none has":             {DispatchFilter{Inputs: map[string]string{"$.bins": "16"}}, ""},
		"query in the lattice's name":            {DispatchFilter{Query: "INTEGR"}, "f d a"},
		"query in a note":                        {DispatchFilter{Query: "B"}, "b"},
		"query in a label":                       {DispatchFilter{Query: "sample=a"}, "c a"},
		"query as an id":                         {DispatchFilter{Query: strings.ToUpper(b.ID)}, "b"},
		"query as number":                        {DispatchFilter{Query: "2"}, "b"},
		"query of nothing":                       {DispatchFilter{Query: "%_%"}, ""},
		"several at once":                        {DispatchFilter{Status: []graph.Status{graph.Pending}, Lattice: "xrd_integrate", Owner: "anna", Query: "a"}, "f a"},
	} {
		t.Run(name, func(t *testing.T) {
			ds, next, err := s.Dispatches(t.Context(), test.f)
			if err != nil || next != "" || names(ds) != test.want {
				t.Errorf("got %q, want %q (next %q, %v)", names(ds), test.want, next, err)
			}
			paged := ""
			for test.f.Limit = 1; ; {
				ds, next, err := s.Dispatches(t.Context(), test.f)
				if err != nil {
					t.Fatal(err)
				}
				paged += " " + names(ds)
				if test.f.After = next; next == "" {
					break
				}
			}
			if strings.TrimSpace(paged) != test.want {
				t.Errorf("one by one %q, want %q", paged, test.want)
			}
		})
	}
	if e.RootID != a.ID {
		t.Errorf("root of e is %s", e.RootID)
	}
	for _, bad := range []string{"x", "!", "bnVsbA", pageCursor{K: "events", N: 1}.String(), pageCursor{K: "dispatches+", N: 1}.String()} {
		if _, _, err := s.Dispatches(t.Context(), DispatchFilter{After: bad}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

func TestDispatchesWhileInserting(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "x", 1)
	var want []int64
	for range 60 {
		want = append(want, insert(t, s, dispatchOf(l)).Number)
	}
	slices.Reverse(want)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := s.InsertDispatch(background(), dispatchOf(l)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	var got []int64
	f := DispatchFilter{Limit: 7}
	for {
		ds, next, err := s.Dispatches(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			got = append(got, d.Number)
		}
		if f.After = next; next == "" {
			break
		}
	}
	close(stop)
	wg.Wait()
	for i := 1; i < len(got); i++ {
		if got[i] != got[i-1]-1 {
			t.Fatalf("page order %v", got)
		}
	}
	if !slices.Equal(got[len(got)-len(want):], want) {
		t.Errorf("%d listed, the last are %v", len(got), got[len(got)-len(want):])
	}
}

func TestElectrons(t *testing.T) {
	s := openNew(t)
	d := claimed(t, s, withLattice(t, s, "many", 9))
	advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(1, 1, "a"), start(4, 1, "b")}, Electrons: []graph.ElectronChange{change(6, graph.Pending, graph.Skipped)}})
	advance(t, s, graph.Step{Dispatch: d.ID, Ends: []graph.AttemptEnd{end(4, 1, "b", graph.Completed)}, Electrons: []graph.ElectronChange{change(4, graph.Running, graph.Completed)}})
	for _, test := range []struct {
		statuses []graph.Status
		want     string
	}{
		{nil, "0p 1r 2p 3p 4c 5p 6s 7p 8p"},
		{[]graph.Status{graph.Pending}, "0p 2p 3p 5p 7p 8p"},
		{[]graph.Status{graph.Pending, graph.Skipped}, "0p 2p 3p 5p 6s 7p 8p"},
		{[]graph.Status{graph.Running, graph.Completed}, "1r 4c"},
		{[]graph.Status{graph.Failed}, ""},
	} {
		for limit := 1; limit < 12; limit++ {
			var got []string
			after := ""
			for {
				es, next, err := s.Electrons(t.Context(), d.ID, test.statuses, after, limit)
				if err != nil || len(es) > limit {
					t.Fatal(len(es), err)
				}
				for _, e := range es {
					if e.Name != fmt.Sprintf("e%d", e.Index) || (e.Status == graph.Running && len(e.Attempts) != 1) {
						t.Errorf("%+v", e)
					}
					got = append(got, fmt.Sprintf("%d%c", e.Index, e.Status[0]))
				}
				if after = next; next == "" {
					break
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%v by %d: %v, want %s", test.statuses, limit, got, test.want)
			}
		}
	}
	if _, err := s.Electron(t.Context(), d.ID, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no electron: %v", err)
	}
	if e := must(s.Electron(t.Context(), "1", "e0"))(t); e.Status != graph.Pending || e.Executor != "local" {
		t.Errorf("%+v", e)
	}
}
