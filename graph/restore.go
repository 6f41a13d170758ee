package graph

// Restore puts electron i where the store last saw it; reason is the stored one and
// tells the kinds of skipped apart, and ReasonRetry a pending one that waits for its
// next attempt from one that never began. Call Resume when all are restored.
func (p *Progress) Restore(i int, s Status, reason string) {
	switch s {
	case Running, Unknown:
		p.set(i, running)
	case Completed:
		p.set(i, completed)
	case Failed, Lost:
		p.set(i, failed)
	case Cancelled:
		p.set(i, cancelled)
	case Skipped:
		p.set(i, skipPhase(reason))
	case New, Pending:
		if reason == ReasonRetry {
			p.set(i, retrying)
		}
	}
}

// Resume works out what the restored states mean: the electrons that may start now
// (those that wait for a retry are not among them: the caller knows when they are
// due), and those that never will, should their skip not have been stored.
func (p *Progress) Resume() (ready []int, skipped []Skip) {
	var ended []int
	for i := range p.node {
		if p.node[i].phase.terminal() {
			ended = append(ended, i)
		}
	}
	_, skipped = p.settle(ended)
	return p.Ready(), skipped
}
