package runner

// past is what a journal tells about one attempt.
type past struct {
	attempt string
	intent  *record
	pid     *record
	end     *record
	release *record
	failed  bool
}

// fold groups records by attempt, in the order of their first appearance. Records of
// one start may come in any order: the pid is written beside an end that comes fast.
// A start that was taken back is over when the next one is written.
func fold(recs []record) []*past {
	var out []*past
	by := map[string]*past{}
	for i := range recs {
		r := &recs[i]
		p := by[r.Attempt]
		if p == nil {
			p = &past{attempt: r.Attempt}
			by[r.Attempt] = p
			out = append(out, p)
		}
		switch r.Kind {
		case recIntent:
			p.intent = r
		case recUndo:
			p.intent = nil
		case recPID:
			p.pid = r
		case recEnd:
			p.end = r
		case recRelease:
			p.release = r
		case recFailed:
			p.failed = true
		}
	}
	return out
}
