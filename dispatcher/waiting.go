package dispatcher

import (
	"time"

	"github.com/latticed/latticed/graph"
)

// troubled records that an attempt gives no sign of being well, or does so again.
func (k *walk) troubled(a *attempt, t trouble) {
	x := &k.es[a.electron]
	if x.attempt != a || x.trouble == t {
		return
	}
	k.mind(x, t)
	if t.unknown != a.unknown {
		a.unknown = t.unknown
		to := graph.Running
		if t.unknown {
			to = graph.Unknown
		}
		k.step.Ends = append(k.step.Ends, graph.AttemptEnd{Electron: a.electron, N: a.n, ID: a.id, Status: to, At: k.now})
	}
	x.waiting = nil
	if t.code != "" {
		x.waiting = &graph.Waiting{Code: t.code, Since: k.now, Detail: t.detail}
	}
	c := k.change(a.electron, graph.Running, "")
	c.From, c.Waiting = graph.Running, x.waiting
	k.step.Electrons = append(k.step.Electrons, c)
	k.w.log.Info().Str(keyElectron, a.name).Str(keyAttempt, a.id).Str(keyExecutor, a.executor).
		Str(keyStatus, string(x.status)).Str(keyReason, t.code).Str(keyErr, t.detail).Msg("attempt waits")
}

// mind keeps the trouble of an electron's attempt, and how many there are.
func (k *walk) mind(x *electron, t trouble) {
	if x.trouble.code != "" {
		k.troubles--
	}
	if x.trouble = t; t.code != "" {
		k.troubles++
	}
}

// newest leaves out what an attempt has said before its last word.
func newest(ns []news) []news {
	if len(ns) < 2 {
		return ns
	}
	last := make(map[*attempt]int, len(ns))
	for i, n := range ns {
		if j, ok := last[n.attempt]; !ok || ns[j].end == nil {
			last[n.attempt] = i
		}
	}
	kept := ns[:0]
	for i, n := range ns {
		if last[n.attempt] == i {
			kept = append(kept, n)
		}
	}
	return kept
}

// slotPatience is how long a dispatch waits for a slot before that is recorded: most
// waits are over sooner, and a commit is not free.
const slotPatience = time.Second

// showWaiting records why the dispatch does not go on, when that has changed.
func (k *walk) showWaiting() {
	if k.step.Finish != nil {
		return
	}
	want := graph.WaitingChange{Waiting: k.why()}
	if want.Waiting != nil && want.Waiting.Code == waitSurvivors {
		want.Reason = waitSurvivors
	}
	slots := want.Waiting != nil && want.Waiting.Code == waitSlots
	if !slots {
		k.slow = time.Time{}
	}
	if same(want, k.shown) {
		return
	}
	if slots {
		if k.slow.IsZero() {
			k.slow = k.now
		}
		if k.now.Sub(k.slow) < slotPatience {
			return
		}
		want.Waiting.Since = k.slow
	}
	k.shown = want
	k.step.Waiting = &want
}

func same(a, b graph.WaitingChange) bool {
	x, y := a.Waiting, b.Waiting
	if x == nil || y == nil || a.Reason != b.Reason {
		return x == y && a.Reason == b.Reason
	}
	return x.Code == y.Code && x.Detail == y.Detail && sameInstant(x.Until, y.Until)
}

func sameInstant(x, y *time.Time) bool {
	if x == nil || y == nil {
		return x == y
	}
	return x.Equal(*y)
}

// why says what the dispatch as a whole waits for: the trouble of an attempt, or
// when none runs, what keeps the next from running.
func (k *walk) why() *graph.Waiting {
	counts := k.p.Counts()
	if counts.Running > 0 {
		return k.trouble()
	}
	lined := ""
	for name, is := range k.queue {
		if len(is) > 0 && k.w.d.slots[name] == nil {
			return &graph.Waiting{Code: waitExecutor, Since: k.now, Detail: noExecutor(name)}
		}
		if len(is) > 0 {
			lined = name
		}
	}
	if hold := k.w.d.Held(); hold != nil && lined != "" {
		return hold
	}
	if lined != "" {
		return &graph.Waiting{Code: waitSlots, Since: k.now, Detail: "all slots of executor " + lined + " are taken"}
	}
	first := -1
	for i, at := range k.later {
		if first < 0 || at.Before(k.later[first]) {
			first = i
		}
	}
	if first < 0 && k.unread != "" {
		return &graph.Waiting{Code: waitStore, Since: k.now, Detail: k.unread}
	}
	if first < 0 || k.es[first].waiting == nil {
		return nil
	}
	w := *k.es[first].waiting
	w.Detail = k.l.Electrons[first].Name + ": " + w.Detail
	return &w
}

// trouble is that of the first electron that has some.
func (k *walk) trouble() *graph.Waiting {
	if k.troubles == 0 {
		return nil
	}
	for i := range k.es {
		if x := &k.es[i]; x.attempt != nil && x.trouble.code != "" {
			return &graph.Waiting{
				Code: x.trouble.code, Since: x.waiting.Since,
				Detail: k.l.Electrons[i].Name + ": " + x.trouble.detail,
			}
		}
	}
	return nil
}

// nextTimer is when to plan again though nothing was heard; zero: never.
func (k *walk) nextTimer() time.Time {
	at := k.finish
	earlier := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, t := range k.later {
		earlier(t)
	}
	if !k.slow.IsZero() && !same(k.shown, graph.WaitingChange{Waiting: k.why()}) {
		earlier(k.slow.Add(slotPatience))
	}
	return at
}
