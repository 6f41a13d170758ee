package store

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
)

func start(e int, n int, id string) graph.AttemptStart {
	return graph.AttemptStart{Electron: e, Name: "e" + string(rune('0'+e)), ID: id, N: n, Executor: "local", Handle: []byte(`{"boot_id":"b"}`)}
}

func end(e, n int, id string, st graph.Status) graph.AttemptEnd {
	return graph.AttemptEnd{Electron: e, N: n, ID: id, Status: st}
}

func change(e int, from, to graph.Status) graph.ElectronChange {
	return graph.ElectronChange{Electron: e, Name: "e" + string(rune('0'+e)), From: from, To: to}
}

func advance(t testing.TB, s *Store, st graph.Step) {
	t.Helper()
	if err := s.Advance(t.Context(), st); err != nil {
		t.Fatal(err)
	}
}

func TestAdvance(t *testing.T) {
	t.Run("ends, changes, starts and the finish are one transaction", func(t *testing.T) {
		s := openNew(t)
		d := claimed(t, s, withLattice(t, s, "two", 2))
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
		before := s.Stats().Commits

		code := 0
		out := must(s.StageAsset(t.Context(), strings.NewReader("42")))(t)
		e := end(0, 1, "a", graph.Completed)
		e.ExitCode, e.Usage, e.Notes, e.Stdout, e.WorkDir = &code, &graph.Usage{CPU: 0.5, MaxRSS: 7, Wall: 1}, []string{"cut"}, &out.Asset, "/w"
		c := change(0, graph.Running, graph.Completed)
		c.Result, c.Files = &out.Asset, map[string]graph.Asset{"plot": out.Asset}
		advance(t, s, graph.Step{
			Dispatch: d.ID, Assets: []graph.NewAsset{out}, Ends: []graph.AttemptEnd{e},
			Electrons: []graph.ElectronChange{c}, Starts: []graph.AttemptStart{start(1, 1, "b")},
		})
		advance(t, s, graph.Step{
			Dispatch: d.ID, Ends: []graph.AttemptEnd{end(1, 1, "b", graph.Failed)}, Electrons: []graph.ElectronChange{change(1, graph.Running, graph.Failed)},
			Finish: &graph.DispatchEnd{Status: graph.Failed, Reason: "electron", Error: &graph.Error{Code: "exit_code", Message: "1", Electron: "e1"}},
		})
		if n := s.Stats().Commits - before; n != 2 {
			t.Errorf("%d commits for 2 steps", n)
		}
		d = must(s.Dispatch(t.Context(), d.ID))(t)
		if d.Status != graph.Failed || d.Counts != (graph.Counts{Completed: 1, Failed: 1}) || d.Error.Electron != "e1" || d.EndedAt.IsZero() || d.Result != nil {
			t.Errorf("dispatch %+v", d)
		}
		el := must(s.Electron(t.Context(), d.ID, "e0"))(t)
		a := el.Attempts[0]
		if *el.Result != out.Asset || el.Files["plot"] != out.Asset || a.Status != graph.Completed || *a.ExitCode != 0 || a.Usage.CPU != 0.5 ||
			a.Notes[0] != "cut" || *a.Stdout != out.Asset || a.Stderr != nil || a.WorkDir != "/w" || string(a.Handle) != `{"boot_id":"b"}` {
			t.Errorf("electron %+v", el)
		}
		if n := rows(t, s, "assets WHERE refs = 3"); n != 1 {
			t.Error("the asset is not counted three times")
		}
	})

	t.Run("a late writer gets ErrStale and changes nothing", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "two", 2)
		d := claimed(t, s, l)
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
		seq := s.Seq()
		notClaimed := insert(t, s, dispatchOf(l))
		for name, st := range map[string]graph.Step{
			"attempt of another id":    {Dispatch: d.ID, Ends: []graph.AttemptEnd{end(0, 1, "x", graph.Completed)}},
			"attempt of another n":     {Dispatch: d.ID, Ends: []graph.AttemptEnd{end(0, 2, "a", graph.Completed)}},
			"electron that is running": {Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 2, "b")}},
			"electron that is pending": {Dispatch: d.ID, Electrons: []graph.ElectronChange{change(1, graph.Running, graph.Completed)}},
			"skip of a running one":    {Dispatch: d.ID, Electrons: []graph.ElectronChange{change(0, graph.Pending, graph.Skipped)}},
			"dispatch not running":     {Dispatch: notClaimed.ID, Starts: []graph.AttemptStart{start(0, 1, "c")}},
			"no such dispatch":         {Dispatch: "nobody", Starts: []graph.AttemptStart{start(0, 1, "c")}},
			"half of it holds": {
				Dispatch: d.ID, Ends: []graph.AttemptEnd{end(0, 1, "a", graph.Completed)},
				Electrons: []graph.ElectronChange{change(0, graph.Running, graph.Completed), change(1, graph.Running, graph.Completed)},
			},
		} {
			if err := s.Advance(t.Context(), st); !errors.Is(err, graph.ErrStale) {
				t.Errorf("%s: %v", name, err)
			}
		}
		cs, _, err := s.ChangedSince(t.Context(), seq, 10)
		if err != nil || len(cs) != 1 || cs[0].ID != notClaimed.ID {
			t.Errorf("changes %+v, %v", cs, err)
		}
	})

	t.Run("a finished dispatch is final", func(t *testing.T) {
		s := openNew(t)
		d := claimed(t, s, withLattice(t, s, "one", 1))
		finish := graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Completed, Result: []byte("1")}}
		advance(t, s, finish)
		if err := s.Advance(t.Context(), finish); !errors.Is(err, graph.ErrStale) {
			t.Errorf("second finish: %v", err)
		}
		d = cancelled(t, s, d)
		if d.Status != graph.Completed || !d.CancelRequestedAt.IsZero() || string(d.Result) != "1" {
			t.Errorf("%+v", d)
		}
	})

	t.Run("of two writers of one end, one wins", func(t *testing.T) {
		s := openNew(t)
		d := claimed(t, s, withLattice(t, s, "one", 1))
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.Advance(background(), graph.Step{
					Dispatch: d.ID, Ends: []graph.AttemptEnd{end(0, 1, "a", graph.Completed)},
					Electrons: []graph.ElectronChange{change(0, graph.Running, graph.Completed)},
				})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, graph.ErrStale) {
				t.Error(err)
			}
		}
		if d = must(s.Dispatch(t.Context(), d.ID))(t); won != 1 || d.Counts.Completed != 1 {
			t.Errorf("%d won, counts %+v", won, d.Counts)
		}
	})

	t.Run("a retry waits as pending and starts a second attempt", func(t *testing.T) {
		s := openNew(t)
		d := claimed(t, s, withLattice(t, s, "one", 1))
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
		until := time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
		c := change(0, graph.Running, graph.Pending)
		c.Waiting = &graph.Waiting{Code: "retry", Since: until.Add(-time.Second), Until: &until}
		advance(t, s, graph.Step{Dispatch: d.ID, Ends: []graph.AttemptEnd{end(0, 1, "a", graph.Failed)}, Electrons: []graph.ElectronChange{c}})
		el := must(s.Electron(t.Context(), d.ID, "e0"))(t)
		if el.Status != graph.Pending || el.Waiting == nil || !el.Waiting.Until.Equal(until) || !el.EndedAt.IsZero() {
			t.Errorf("waiting: %+v", el)
		}
		if d = must(s.Dispatch(t.Context(), d.ID))(t); d.Counts.Pending != 1 {
			t.Errorf("counts %+v", d.Counts)
		}
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 2, "b")}})
		el = must(s.Electron(t.Context(), d.ID, "e0"))(t)
		if el.Status != graph.Running || el.Waiting != nil || len(el.Attempts) != 2 || el.Attempts[0].Status != graph.Failed || el.Attempts[1].N != 2 {
			t.Errorf("again: %+v", el)
		}
	})

	t.Run("an unknown attempt may end later", func(t *testing.T) {
		s := openNew(t)
		d := claimed(t, s, withLattice(t, s, "one", 1))
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
		advance(t, s, graph.Step{Dispatch: d.ID, Ends: []graph.AttemptEnd{end(0, 1, "a", graph.Unknown)}})
		if a := must(s.Electron(t.Context(), d.ID, "e0"))(t).Attempts[0]; a.Status != graph.Unknown || !a.EndedAt.IsZero() {
			t.Errorf("%+v", a)
		}
		advance(t, s, graph.Step{Dispatch: d.ID, Ends: []graph.AttemptEnd{end(0, 1, "a", graph.Lost)}})
		if a := must(s.Electron(t.Context(), d.ID, "e0"))(t).Attempts[0]; a.Status != graph.Lost || a.EndedAt.IsZero() {
			t.Errorf("%+v", a)
		}
	})

	t.Run("why a dispatch waits is replaced and cleared", func(t *testing.T) {
		s := openNew(t)
		d := claimed(t, s, withLattice(t, s, "one", 1))
		advance(t, s, graph.Step{Dispatch: d.ID, Waiting: &graph.WaitingChange{Reason: "survivors", Waiting: &graph.Waiting{Code: "slots"}}})
		if d = must(s.Dispatch(t.Context(), d.ID))(t); d.Reason != "survivors" || d.Waiting.Code != "slots" {
			t.Errorf("%+v", d)
		}
		advance(t, s, graph.Step{Dispatch: d.ID, Waiting: &graph.WaitingChange{}})
		if d = must(s.Dispatch(t.Context(), d.ID))(t); d.Reason != "" || d.Waiting != nil {
			t.Errorf("%+v", d)
		}
	})

	t.Run("an asset nobody stored is refused", func(t *testing.T) {
		s := openNew(t)
		d := claimed(t, s, withLattice(t, s, "one", 1))
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
		c := change(0, graph.Running, graph.Completed)
		c.Result = &graph.Asset{SHA256: strings.Repeat("0", 64), Size: 1}
		if err := s.Advance(t.Context(), graph.Step{Dispatch: d.ID, Electrons: []graph.ElectronChange{c}}); !errors.Is(err, ErrNotFound) {
			t.Errorf("reference: %v", err)
		}
		never := graph.NewAsset{Asset: graph.Asset{SHA256: strings.Repeat("0", 64), Size: 1 << 20}}
		if err := s.Advance(t.Context(), graph.Step{Dispatch: d.ID, Assets: []graph.NewAsset{never}, Electrons: []graph.ElectronChange{c}}); err == nil {
			t.Error("an asset that was never staged was taken")
		}
	})

	t.Run("watchers of the dispatch are woken after the commit", func(t *testing.T) {
		s := openNew(t)
		d := claimed(t, s, withLattice(t, s, "one", 1))
		w, done := s.Watch(d.ID)
		other, doneOther := s.Watch("other")
		defer doneOther()
		advance(t, s, graph.Step{Dispatch: d.ID, Starts: []graph.AttemptStart{start(0, 1, "a")}})
		<-w
		select {
		case <-other:
			t.Error("another dispatch was woken")
		default:
		}
		done()
		advance(t, s, graph.Step{Dispatch: d.ID, Finish: &graph.DispatchEnd{Status: graph.Cancelled}})
		select {
		case <-w:
			t.Error("woken after its end")
		default:
		}
	})
}

func TestPending(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "one", 1)
	var all []graph.Dispatch
	for range 7 {
		all = append(all, insert(t, s, dispatchOf(l)))
	}
	tpl := dispatchOf(l)
	tpl.Status = graph.New
	insert(t, s, tpl)
	numbers := func(limit int, skip func(int64) bool) (ns []int64) {
		for _, d := range must(s.Pending(t.Context(), limit, skip))(t) {
			ns = append(ns, d.Number-all[0].Number)
			if d.Status != graph.Pending || d.LatticeID != l.ID || string(d.Inputs) != string(tpl.Inputs) {
				t.Errorf("%+v", d)
			}
		}
		return ns
	}
	odd := func(n int64) bool { return (n-all[0].Number)%2 == 1 }
	for _, test := range []struct {
		limit int
		skip  func(int64) bool
		want  []int64
	}{
		{0, none, nil},
		{-1, none, nil},
		{3, none, []int64{0, 1, 2}},
		{3, odd, []int64{0, 2, 4}},
		{9, odd, []int64{0, 2, 4, 6}},
		{9, none, []int64{0, 1, 2, 3, 4, 5, 6}},
	} {
		if got := numbers(test.limit, test.skip); !slices.Equal(got, test.want) {
			t.Errorf("%d: got %v, want %v", test.limit, got, test.want)
		}
	}
	begin(t, s, 2)
	if got := numbers(2, none); !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("after two began: %v", got)
	}
}

func TestBegin(t *testing.T) {
	at := time.Now().Add(-time.Second)
	t.Run("with its first start", func(t *testing.T) {
		s := openNew(t)
		d := dispatchOf(withLattice(t, s, "one", 1))
		d.Waiting, d.Reason = &graph.Waiting{Code: "window"}, "window"
		d = insert(t, s, d)
		st := stepOne(d.ID)
		st.Begin = at
		advance(t, s, st)
		got := must(s.Dispatch(t.Context(), d.ID))(t)
		if got.Status != graph.Running || got.StartedAt.UnixMicro() != at.UnixMicro() || got.Waiting != nil || got.Reason != "" || got.Counts.Running != 1 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("with why it waits", func(t *testing.T) {
		s := openNew(t)
		d := insert(t, s, dispatchOf(withLattice(t, s, "one", 1)))
		advance(t, s, graph.Step{Dispatch: d.ID, Begin: at, Waiting: &graph.WaitingChange{Waiting: &graph.Waiting{Code: "slots"}}})
		if got := must(s.Dispatch(t.Context(), d.ID))(t); got.Status != graph.Running || got.Waiting == nil || got.Waiting.Code != "slots" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("and end at once", func(t *testing.T) {
		s := openNew(t)
		d := insert(t, s, dispatchOf(withLattice(t, s, "one", 1)))
		ended, stop := s.WatchEnd(d.ID)
		defer stop()
		advance(t, s, graph.Step{Dispatch: d.ID, Begin: at, Finish: &graph.DispatchEnd{Status: graph.Failed, Error: &graph.Error{Code: "lattice"}}})
		<-ended
		if got := must(s.Dispatch(t.Context(), d.ID))(t); got.Status != graph.Failed || got.StartedAt.IsZero() || got.Error == nil {
			t.Errorf("%+v", got)
		}
	})
	t.Run("only from pending, and only once", func(t *testing.T) {
		s := openNew(t)
		l := withLattice(t, s, "one", 1)
		tpl := dispatchOf(l)
		tpl.Status = graph.New
		gone := insert(t, s, dispatchOf(l))
		if _, _, err := s.RequestCancel(t.Context(), gone.ID); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{insert(t, s, tpl).ID, claimed(t, s, l).ID, gone.ID, "nothing"} {
			before := s.Seq()
			st := stepOne(id)
			st.Begin = at
			if err := s.Advance(t.Context(), st); !errors.Is(err, graph.ErrStale) || s.Seq() != before {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
	t.Run("of many callers one", func(t *testing.T) {
		s := openNew(t)
		d := insert(t, s, dispatchOf(withLattice(t, s, "one", 1)))
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				st := stepOne(d.ID)
				st.Begin = at
				switch err := s.Advance(background(), st); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, graph.ErrStale):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d began it", won.Load())
		}
	})
}

func TestLive(t *testing.T) {
	s := openNew(t)
	l := withLattice(t, s, "three", 3)
	var ds []graph.Dispatch
	for range 5 {
		ds = append(ds, claimed(t, s, l))
	}
	insert(t, s, dispatchOf(l))
	advance(t, s, graph.Step{Dispatch: ds[0].ID, Finish: &graph.DispatchEnd{Status: graph.Completed}})
	log := must(s.StageAsset(t.Context(), bytes.NewReader([]byte("log"))))(t)
	advance(t, s, graph.Step{Dispatch: ds[2].ID, Starts: []graph.AttemptStart{start(0, 1, "a"), start(2, 1, "b")}})
	e := end(0, 1, "a", graph.Failed)
	e.Stderr = &log.Asset
	advance(t, s, graph.Step{Dispatch: ds[2].ID, Assets: []graph.NewAsset{log}, Ends: []graph.AttemptEnd{e}, Electrons: []graph.ElectronChange{change(0, graph.Running, graph.Failed)}})
	s = reopen(t, s)

	first := must(s.Live(t.Context(), 0, 3))(t)
	rest := must(s.Live(t.Context(), first[2].Dispatch.Number, 3))(t)
	var got []string
	for _, r := range slices.Concat(first, rest) {
		got = append(got, r.Dispatch.ID)
	}
	if !slices.Equal(got, []string{ds[1].ID, ds[2].ID, ds[3].ID, ds[4].ID}) {
		t.Errorf("live %v", got)
	}
	es := first[1].Electrons
	if len(es) != 2 || es[0].Index != 0 || es[0].Status != graph.Failed || es[0].Attempts[0].Stderr == nil || es[1].Index != 2 || es[1].Attempts[0].ID != "b" {
		t.Errorf("electrons %+v", es)
	}
	advance(t, s, graph.Step{Dispatch: ds[2].ID, Ends: []graph.AttemptEnd{end(2, 1, "b", graph.Lost)}, Electrons: []graph.ElectronChange{change(2, graph.Running, graph.Failed)}})
	r := must(s.OpenAsset(t.Context(), log.SHA256))(t)
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "log" {
		t.Errorf("log %q %v", b, err)
	}
}

// stepOne starts electron 0.
func stepOne(dispatch string) graph.Step {
	return graph.Step{Dispatch: dispatch, Starts: []graph.AttemptStart{start(0, 1, "a")}}
}
