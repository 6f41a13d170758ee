package graph

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// oracle says by brute force what Progress has to: after every event it applies the
// rules of the package comment to all electrons until nothing changes.
type oracle struct {
	lattice   *Lattice
	status    []Status
	reason    []string
	retrying  []bool
	handed    []bool // said to be ready
	cancelled bool
}

func newOracle(l *Lattice) *oracle {
	n := len(l.Electrons)
	o := &oracle{lattice: l, status: make([]Status, n), reason: make([]string, n), retrying: make([]bool, n), handed: make([]bool, n)}
	for i := range o.status {
		o.status[i] = Pending
	}
	return o
}

func (o *oracle) any(s Status) bool { return slices.Contains(o.status, s) }

func (o *oracle) hard(i int) bool {
	return o.status[i] == Failed || o.status[i] == Cancelled ||
		o.status[i] == Skipped && (o.reason[i] == ReasonUpstream || o.reason[i] == ReasonStopped)
}

// consequences ends what will not run and returns it.
func (o *oracle) consequences() []Skip {
	var skips []Skip
	end := func(i int, s Status, reason string) {
		o.status[i], o.reason[i], o.retrying[i] = s, reason, false
		skips = append(skips, Skip{i, s, reason})
	}
	stopping := o.lattice.OnFailure == "stop" && o.any(Failed)
	for changed := true; changed; {
		changed = false
		for i, e := range o.lattice.Electrons {
			if o.status[i] != Pending {
				continue
			}
			if o.retrying[i] {
				if stopping {
					end(i, Failed, ReasonStopped)
					changed = true
				}
				continue
			}
			all, hard, soft := true, false, false
			for _, n := range e.Needs {
				all = all && o.status[n.Electron].Terminal()
				hard = hard || o.hard(n.Electron)
				soft = soft || o.status[n.Electron] == Skipped && n.Data && !n.Optional
			}
			if hard {
				end(i, Skipped, ReasonUpstream)
				changed = true
			} else if all && soft {
				end(i, Skipped, ReasonUpstreamSkipped)
				changed = true
			}
		}
	}
	for i := range o.status {
		if stopping && o.status[i] == Pending {
			end(i, Skipped, ReasonStopped)
		}
	}
	return skips
}

// ready returns what may start; with all, also what was said before.
func (o *oracle) ready(all bool) []int {
	var ready []int
	for i, e := range o.lattice.Electrons {
		ok := o.status[i] == Pending && !o.retrying[i] && (all || !o.handed[i])
		for _, n := range e.Needs {
			ok = ok && o.status[n.Electron].Terminal()
		}
		if ok {
			ready = append(ready, i)
			o.handed[i] = true
		}
	}
	return ready
}

func (o *oracle) final() Status {
	switch {
	case o.any(Pending) || o.any(Running):
		return Running
	case o.any(Failed):
		return Failed
	case o.any(Cancelled):
		return Cancelled
	}
	return Completed
}

// drawLattice draws DAGs without their documents.
func drawLattice(t *rapid.T) *Lattice {
	l := &Lattice{OnFailure: rapid.SampledFrom([]string{"stop", "continue"}).Draw(t, "on_failure")}
	n := rapid.IntRange(1, 9).Draw(t, "electrons")
	for i := range n {
		e := Spec{Name: fmt.Sprintf("e%d", i)}
		for j := range i {
			switch rapid.IntRange(0, 5).Draw(t, fmt.Sprintf("%d needs %d", i, j)) {
			case 0:
				e.Needs = append(e.Needs, Need{Electron: j})
			case 1:
				e.Needs = append(e.Needs, Need{Electron: j, Data: true})
			case 2:
				e.Needs = append(e.Needs, Need{Electron: j, Data: true, Optional: true})
			}
		}
		l.Electrons = append(l.Electrons, e)
	}
	return l
}

// run keeps Progress and oracle side by side.
type run struct {
	t *rapid.T
	p *Progress
	o *oracle
}

func (r *run) compare(what string, ready []int, skipped, want []Skip) {
	r.t.Helper()
	slices.Sort(ready)
	byElectron := func(a, b Skip) int { return a.Electron - b.Electron }
	slices.SortFunc(skipped, byElectron)
	slices.SortFunc(want, byElectron)
	if !slices.Equal(skipped, want) {
		r.t.Fatalf("%s: skipped %v, want %v", what, skipped, want)
	}
	if wantReady := r.o.ready(false); !slices.Equal(ready, wantReady) {
		r.t.Fatalf("%s: ready %v, want %v", what, ready, wantReady)
	}
	r.states(what, r.p)
}

func (r *run) states(what string, p *Progress) {
	r.t.Helper()
	var counts Counts
	for i, s := range r.o.status {
		if p.Of(i) != s {
			r.t.Fatalf("%s: electron %d is %s, want %s", what, i, p.Of(i), s)
		}
		switch s {
		case Running:
			counts.Running++
		case Completed:
			counts.Completed++
		case Failed:
			counts.Failed++
		case Cancelled:
			counts.Cancelled++
		case Skipped:
			counts.Skipped++
		default:
			counts.Pending++
		}
	}
	if p.Counts() != counts || p.Status() != r.o.final() {
		r.t.Fatalf("%s: %v %s, want %v %s", what, p.Counts(), p.Status(), counts, r.o.final())
	}
}

// pick draws one electron that fits; false: none does.
func (r *run) pick(fits func(i int) bool) (int, bool) {
	var found []int
	for i := range r.o.status {
		if fits(i) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return 0, false
	}
	return rapid.SampledFrom(found).Draw(r.t, "electron"), true
}

func (r *run) startable(i int) bool {
	return r.o.status[i] == Pending && (r.o.handed[i] || r.o.retrying[i])
}

func (r *run) fresh(i int) bool   { return r.o.status[i] == Pending && r.o.handed[i] && !r.o.retrying[i] }
func (r *run) running(i int) bool { return r.o.status[i] == Running }

func (r *run) start() {
	if i, ok := r.pick(r.startable); ok {
		r.p.Start(i)
		r.o.status[i], r.o.retrying[i] = Running, false
		r.states("start", r.p)
	}
}

func (r *run) end() {
	if i, ok := r.pick(r.running); ok {
		to := rapid.SampledFrom([]Status{Completed, Completed, Completed, Failed, Cancelled}).Draw(r.t, "outcome")
		r.o.status[i] = to
		ready, skipped := r.p.End(i, to)
		r.compare("end", ready, skipped, r.o.consequences())
		if ready, skipped = r.p.End(i, Failed); ready != nil || skipped != nil {
			r.t.Fatal("a second end changed something")
		}
	}
}

func (r *run) retry() {
	if i, ok := r.pick(r.running); ok {
		want := !r.o.cancelled && (r.o.lattice.OnFailure == "continue" || !r.o.any(Failed))
		if got := r.p.Retry(i); got != want {
			r.t.Fatalf("retry %v, want %v", got, want)
		}
		if want {
			r.o.status[i], r.o.retrying[i] = Pending, true
		}
		r.states("retry", r.p)
	}
}

func (r *run) condition() {
	if i, ok := r.pick(r.fresh); ok {
		r.o.status[i], r.o.reason[i] = Skipped, ReasonCondition
		ready, skipped := r.p.Skip(i, ReasonCondition)
		r.compare("skip", ready, skipped, r.o.consequences())
	}
}

func (r *run) cancel() {
	var is []int
	var want []Skip
	for i := range r.o.status {
		if rapid.IntRange(0, 3).Draw(r.t, "cancel") == 0 {
			is = append(is, i)
			if r.o.status[i] == Pending {
				r.o.status[i], r.o.retrying[i] = Cancelled, false
				want = append(want, Skip{i, Cancelled, ReasonCancelled})
			}
		}
	}
	ready, skipped := r.p.Cancel(is...)
	r.compare("cancel", ready, skipped, append(want, r.o.consequences()...))
}

func (r *run) cancelAll() {
	var want []Skip
	for i, s := range r.o.status {
		if s == Pending {
			r.o.status[i], r.o.retrying[i] = Cancelled, false
			want = append(want, Skip{i, Cancelled, ReasonCancelled})
		}
	}
	r.o.cancelled = true
	r.compare("cancel all", nil, r.p.CancelAll(), want)
}

// recover forgets Progress and builds it again from what a store would hold. With
// lost, it holds none of the consequences.
func (r *run) recover(lost bool) {
	p := NewProgress(r.o.lattice)
	dropped := 0
	for i, s := range r.o.status {
		reason := r.o.reason[i]
		if lost && (reason == ReasonUpstream || reason == ReasonUpstreamSkipped || reason == ReasonStopped && s == Skipped) {
			dropped++
			continue
		}
		if lost && reason == ReasonStopped {
			s, reason = Pending, ReasonRetry
			dropped++
		}
		if r.o.retrying[i] {
			reason = ReasonRetry
		}
		p.Restore(i, s, reason)
	}
	ready, skipped := p.Resume()
	if len(skipped) != dropped {
		r.t.Fatalf("%d consequences, want %d", len(skipped), dropped)
	}
	if r.o.cancelled {
		p.CancelAll()
	}
	if want := r.o.ready(true); !slices.Equal(ready, want) {
		r.t.Fatalf("resume: ready %v, want %v", ready, want)
	}
	r.states("resume", p)
	r.p = p
}

func TestProgress_agrees_with_the_oracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLattice(t)
		r := &run{t: t, p: NewProgress(l), o: newOracle(l)}
		r.compare("new", r.p.Ready(), nil, nil)
		for step := 0; r.o.final() == Running; step++ {
			const patience = 60
			switch action := rapid.IntRange(0, 19).Draw(t, "action"); {
			case step > patience || action < 7:
				r.start()
				if step > patience {
					r.end()
				}
			case action < 13:
				r.end()
			case action < 15:
				r.retry()
			case action < 16:
				r.condition()
			case action < 17:
				r.cancel()
			case action < 18:
				r.recover(false)
			case action < 19:
				r.recover(true)
			default:
				if rapid.IntRange(0, 4).Draw(t, "all") == 0 {
					r.cancelAll()
				}
			}
		}
	})
}

// chain is a → b → c by data, and d beside them.
func chain(onFailure string) *Lattice {
	return &Lattice{OnFailure: onFailure, Electrons: []Spec{
		{Name: "a"},
		{Name: "b", Needs: []Need{{Electron: 0, Data: true}}},
		{Name: "c", Needs: []Need{{Electron: 1, Data: true}}},
		{Name: "d"},
	}}
}

func TestProgress_stop_holds_back_what_has_not_started(t *testing.T) {
	p := NewProgress(chain("stop"))
	if got := p.Ready(); !slices.Equal(got, []int{0, 3}) {
		t.Fatal(got)
	}
	p.Start(0)
	ready, skipped := p.End(0, Failed)
	want := []Skip{{1, Skipped, ReasonUpstream}, {2, Skipped, ReasonUpstream}, {3, Skipped, ReasonStopped}}
	if diff := cmp.Diff(want, skipped); diff != "" || ready != nil || p.Status() != Failed {
		t.Errorf("ready %v, status %s\n%s", ready, p.Status(), diff)
	}
}

func TestProgress_continue_runs_the_rest(t *testing.T) {
	p := NewProgress(chain("continue"))
	p.Start(0)
	p.Start(3)
	_, skipped := p.End(0, Failed)
	if len(skipped) != 2 || p.Status() != Running {
		t.Fatalf("%v %s", skipped, p.Status())
	}
	if p.End(3, Completed); p.Status() != Failed {
		t.Errorf("%s, want failed", p.Status())
	}
}

func TestProgress_stop_ends_waiting_retries_as_failed(t *testing.T) {
	p := NewProgress(chain("stop"))
	p.Start(0)
	p.Start(3)
	if !p.Retry(3) {
		t.Fatal("the first retry is refused")
	}
	_, skipped := p.End(0, Failed)
	if !slices.Contains(skipped, Skip{3, Failed, ReasonStopped}) {
		t.Errorf("%v", skipped)
	}
}

// What depends on a retry that will not come was kept from running by a failure.
func TestProgress_stop_tells_a_failure_behind_a_retry(t *testing.T) {
	p := NewProgress(chain("stop"))
	p.Start(0)
	p.Start(3)
	p.Retry(0)
	_, skipped := p.End(3, Failed)
	want := []Skip{{0, Failed, ReasonStopped}, {1, Skipped, ReasonUpstream}, {2, Skipped, ReasonUpstream}}
	if diff := cmp.Diff(want, skipped); diff != "" || p.Status() != Failed {
		t.Errorf("%s\n%s", p.Status(), diff)
	}
}

func TestProgress_cancelling_ends_what_waits_for_a_retry(t *testing.T) {
	p := NewProgress(chain("stop"))
	p.Start(0)
	p.Start(3)
	p.Retry(0)
	want := []Skip{{0, Cancelled, ReasonCancelled}, {1, Cancelled, ReasonCancelled}, {2, Cancelled, ReasonCancelled}}
	if diff := cmp.Diff(want, p.CancelAll()); diff != "" {
		t.Error(diff)
	}
	if p.Retry(3) || p.Retry(0) {
		t.Error("there is another attempt after all")
	}
	if p.End(3, Failed); p.Status() != Failed {
		t.Error(p.Status())
	}
}

func TestProgress_wait_for_does_not_cascade_a_false_condition(t *testing.T) {
	l := chain("stop")
	l.Electrons[1].Needs[0].Data = false
	p := NewProgress(l)
	ready, skipped := p.Skip(0, ReasonCondition)
	if !slices.Equal(ready, []int{1}) || skipped != nil {
		t.Errorf("ready %v, skipped %v", ready, skipped)
	}
	if p.Of(0) != Skipped {
		t.Error(p.Of(0))
	}
}

func TestProgress_false_condition_cascades_by_data(t *testing.T) {
	p := NewProgress(chain("stop"))
	_, skipped := p.Skip(0, ReasonCondition)
	want := []Skip{{1, Skipped, ReasonUpstreamSkipped}, {2, Skipped, ReasonUpstreamSkipped}}
	if diff := cmp.Diff(want, skipped); diff != "" {
		t.Error(diff)
	}
	if p.Retry(3) || p.Retry(0) {
		t.Error("what doesn't run has another attempt")
	}
	p.Start(3)
	if p.End(3, Completed); p.Status() != Completed {
		t.Errorf("%s, want completed", p.Status())
	}
}

func TestProgress_refuses_misuse(t *testing.T) {
	for name, f := range map[string]func(p *Progress){
		"start before its needs": func(p *Progress) { p.Start(1) },
		"start twice":            func(p *Progress) { p.Start(0); p.Start(0) },
		"end as running":         func(p *Progress) { p.Start(0); p.End(0, Running) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a panic is expected", name)
				}
			}()
			f(NewProgress(chain("stop")))
		}()
	}
}

func fanOut(width int) *Lattice {
	l := &Lattice{OnFailure: "stop", Electrons: make([]Spec, width+2)}
	last := &l.Electrons[width+1]
	for i := 1; i <= width; i++ {
		l.Electrons[i].Needs = []Need{{Electron: 0, Data: true}}
		last.Needs = append(last.Needs, Need{Electron: i, Data: true})
	}
	l.dag = newDAG(l.Electrons)
	return l
}

func BenchmarkProgress_fan_out(b *testing.B) {
	for _, width := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(width), func(b *testing.B) {
			l := fanOut(width)
			b.ReportAllocs()
			for b.Loop() {
				p := NewProgress(l)
				todo := p.Ready()
				for len(todo) > 0 {
					i := todo[0]
					p.Start(i)
					ready, _ := p.End(i, Completed)
					todo = append(todo[1:], ready...)
				}
				if p.Status() != Completed {
					b.Fatal(p.Status())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(width+2)), "ns/electron")
		})
	}
}
