package dispatcher

import (
	"github.com/latticed/latticed/graph"
)

// seen is what a look at the files of an electron's inputs has shown.
type seen struct {
	electron int
	d        decision
	looks    map[string]look
}

// decisionsMax is how many electrons one step takes over: each is looked up, and a step
// is one transaction.
const decisionsMax = 256

// lineOrReuse takes the result of a ready electron over, or lines it up.
func (k *walk) lineOrReuse(i int) ([]int, []graph.Skip) {
	if k.reuse == nil || k.es[i].n > 0 {
		k.line(i)
		return nil, nil
	}
	if k.decisions++; k.decisions > decisionsMax {
		k.later[i] = k.now // in the next step, so that none keeps others waiting
		return nil, nil
	}
	d, err := k.reuse.decide(k.vals, i, walked{k})
	switch {
	case err != nil:
		return k.unprepared(i, err)
	case d.why != "" || len(d.paths) == 0:
		return k.decided(i, d)
	}
	k.wg.Go(func() { // a file server may let us wait, and others need not
		k.mail.see(seen{i, d, k.w.d.looks.at(d.paths, d.touched)})
		k.w.signal()
	})
	return nil, nil
}

// walked is the course of a dispatch that is walked.
type walked struct{ *walk }

func (w walked) ranAgain(i int) bool { return w.es[i].status == graph.Completed && !w.es[i].reused }
func (w walked) skipped(i int) bool  { return w.es[i].status == graph.Skipped }

// saw decides about an electron whose files were looked at.
func (k *walk) saw(s seen) {
	if k.es[s.electron].status != graph.Pending {
		return // it was cancelled meanwhile
	}
	k.reuse.looked(&s.d, s.looks)
	ready, skipped := k.decided(s.electron, s.d)
	k.skipped(skipped)
	k.ready(ready)
}

// decided lines an electron up with the reason why it runs, or takes its result over.
func (k *walk) decided(i int, d decision) ([]int, []graph.Skip) {
	if d.why != "" {
		k.es[i].why = d.why
		k.line(i)
		return nil, nil
	}
	from, raw, err := k.reuse.reused(d)
	if err != nil {
		return k.unprepared(i, err)
	}
	c := k.change(i, graph.Completed, "")
	c.Result, c.Pickle, c.Files = d.prev.Result, d.prev.Pickle, d.prev.Files
	c.Reused, c.Fingerprint = from, raw
	k.es[i].reused = true
	k.vals.left[i] = outcomeOf(d.prev)
	k.close(c)
	k.after = append(k.after, func() {
		k.w.d.count.reused.Add(1)
		k.w.log.Info().Str(keyElectron, c.Name).Str(keyStatus, string(graph.Completed)).Str(keyReason, from.Why).Msg("electron reused")
	})
	return k.p.End(i, graph.Completed)
}
