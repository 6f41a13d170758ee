package dispatcher

import "github.com/latticed/latticed/graph"

// landed tells whether s is part of the stored state r: a commit whose answer got lost
// must not be made twice. A step is one transaction, so one of its changes speaks for
// all.
func landed(s graph.Step, r graph.Run) bool {
	switch {
	case s.Finish != nil && !s.Begin.IsZero():
		return r.Dispatch.Status == s.Finish.Status // or somebody cancelled it before
	case !s.Begin.IsZero():
		return r.Dispatch.Status == graph.Running
	case s.Finish != nil || !alive(r):
		return !alive(r)
	}
	for _, st := range s.Starts {
		a := attemptOf(r, st.Electron, st.ID)
		return a != nil
	}
	for _, e := range s.Ends {
		a := attemptOf(r, e.Electron, e.ID)
		return a != nil && a.Status == e.Status
	}
	for _, c := range s.Electrons {
		if c.From == c.To {
			continue // only its waiting: making it twice changes nothing
		}
		for _, e := range r.Electrons {
			if e.Index == c.Electron {
				return e.Status == c.To
			}
		}
		return false
	}
	return false
}

func attemptOf(r graph.Run, electron int, id string) *graph.Attempt {
	for i := range r.Electrons {
		if r.Electrons[i].Index != electron {
			continue
		}
		for j := range r.Electrons[i].Attempts {
			if a := &r.Electrons[i].Attempts[j]; a.ID == id {
				return a
			}
		}
	}
	return nil
}
