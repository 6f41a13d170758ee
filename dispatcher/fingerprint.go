package dispatcher

import (
	"encoding/json"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// evidence is what an attempt was given, as far as its task doesn't say.
type evidence struct {
	in    map[string]string    // SHA-256 by what is laid out
	paths map[string]string    // by input, those that it looks at
	first chan map[string]look // of paths, when it began
	since time.Time            // when the attempt began
}

// promptly is how soon after the start a look comes before an attempt can have read or
// changed anything.
const promptly = 5 * time.Millisecond

// evidenceOf gathers what is known of electron i when it starts; the files that it
// reads are looked at beside its start.
func (k *walk) evidenceOf(i int, r graph.Resolved) *evidence {
	return &evidence{in: k.vals.laidOut(r), paths: k.l.Paths(i, k.vals.inputs)}
}

// laidOut returns the hashes of the files and python objects that are handed over.
func (v *values) laidOut(r graph.Resolved) map[string]string {
	if len(r.Files)+len(r.ResultArgs) == 0 {
		return nil
	}
	in := map[string]string{}
	for _, ref := range r.Files {
		in[graph.InPath(v.l.Electrons[ref.Electron].Name, ref.Name)] = v.left[ref.Electron].files[ref.Name].SHA256
	}
	for arg, from := range r.ResultArgs {
		if o := v.left[from]; o != nil && o.pickle != nil {
			in["args."+arg] = o.pickle.SHA256
		}
	}
	return in
}

// lookFirst looks at the files of an attempt that is being started.
func (k *walk) lookFirst(e *evidence) {
	if e == nil || len(e.paths) == 0 {
		return
	}
	if e.since.IsZero() {
		e.since = time.Now()
	}
	e.first = make(chan map[string]look, 1)
	k.wg.Go(func() { e.first <- k.w.d.looks.at(e.paths, nil) })
}

// fingerprint is made when an attempt has completed, in its own goroutine.
func (k *walk) fingerprint(a *attempt) json.RawMessage {
	e := a.evidence
	if e == nil {
		return nil // what it was given could not be worked out again after a restart
	}
	f := k.l.Fingerprint(a.electron, resolvedOf(a.task), e.in, k.w.d.pathsAfter(e))
	raw, err := f.Encode()
	if err != nil {
		k.w.log.Error().AnErr(keyErr, err).Str(keyElectron, a.name).Str(keyAttempt, a.id).Msg("no fingerprint could be made")
		return nil
	}
	return raw
}

// resolvedOf is the part of a task that was made of expressions.
func resolvedOf(t executors.Task) graph.Resolved {
	return graph.Resolved{Argv: t.Argv, Env: t.Env, Unset: t.Unset, Args: t.Args}
}

// pathsAfter says of each path what it held while the attempt ran, if that is known.
func (d *Dispatcher) pathsAfter(e *evidence) map[string]graph.Path {
	if len(e.paths) == 0 {
		return nil
	}
	first, last := <-e.first, d.looks.at(e.paths, contents)
	paths := make(map[string]graph.Path, len(last))
	for name, now := range last {
		was := first[name]
		switch {
		case was.Doubt != "":
			now.Path = graph.Path{Path: now.Path.Path, Doubt: was.Doubt}
		case now.Doubt != "":
		case was.Stamp != now.Stamp, was.seen.Sub(e.since) > promptly && now.changed.After(e.since.Add(-sameTick)):
			now.Path = graph.Path{Path: now.Path.Path, Doubt: whileItRan}
		}
		paths[name] = now.steady()
	}
	return paths
}
