package dispatcher

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// reuse knows what electrons of the parent of a redispatch have left.
type reuse struct {
	store   Store
	looks   *looks
	l       *graph.Lattice
	parent  graph.Dispatch
	before  *graph.Lattice // the parent's; nil: it can't be read any more
	nothing string         // why there is nothing to reuse at all
}

// decision is whether an electron is reused, and why.
type decision struct {
	why   string // not empty: it runs
	prev  graph.Electron
	now   graph.Fingerprint
	was   graph.Fingerprint
	paths map[string]string // still to be looked at
}

// touched tells whether only the content of a file can tell if it is the same.
func (d *decision) touched(name string, now look) bool { return d.was.Paths[name].Stamp != now.Stamp }

// course is what became of the electrons of the new dispatch so far.
type course interface {
	ranAgain(electron int) bool // it ended by an attempt of its own
	skipped(electron int) bool
}

// previousError means that what an earlier dispatch left could not be read now.
type previousError struct{ err error }

func (e *previousError) Error() string { return "the dispatch before: " + e.err.Error() }
func (e *previousError) Unwrap() error { return e.err }

// newReuse reads the parent of a dispatch.
func newReuse(ctx context.Context, d *Dispatcher, parent string, l *graph.Lattice) (*reuse, error) {
	r := &reuse{store: d.store, looks: d.looks, l: l}
	var err error
	if r.parent, err = d.store.Dispatch(ctx, parent); errors.Is(err, triggers.ErrNotFound) {
		r.nothing = "the dispatch before was removed"
		return r, nil
	} else if err != nil {
		return nil, &previousError{err}
	}
	r.before, err = d.store.Lattice(ctx, r.parent.LatticeID)
	var invalid *graph.Invalid
	if err != nil && !errors.As(err, &invalid) && !errors.Is(err, triggers.ErrNotFound) {
		return nil, &previousError{err}
	}
	return r, nil
}

// where names the parent.
func (r *reuse) where() string { return "dispatch " + strconv.FormatInt(r.parent.Number, 10) }

// previous finds what electron i has left; why is not empty when that is nothing that
// could be reused.
func (r *reuse) previous(ctx context.Context, i int) (d decision, err error) {
	name := r.l.Electrons[i].Name
	if r.nothing != "" {
		return decision{why: r.nothing}, nil
	}
	e, err := r.store.Electron(ctx, r.parent.ID, name)
	switch {
	case errors.Is(err, triggers.ErrNotFound):
		return decision{why: r.missing(ctx, name)}, nil
	case err != nil:
		return d, &previousError{err}
	case e.Status != graph.Completed:
		return decision{prev: e, why: r.fate(e)}, nil
	}
	raw, err := r.store.Fingerprint(ctx, r.parent.ID, e.Index)
	switch {
	case errors.Is(err, triggers.ErrNotFound):
		return decision{why: r.missing(ctx, name)}, nil
	case err != nil:
		return d, &previousError{err}
	}
	was, ok := graph.DecodeFingerprint(raw)
	if !ok {
		return decision{prev: e, why: "what it depends on was not recorded in " + r.where()}, nil
	}
	return decision{prev: e, was: was}, nil
}

func (r *reuse) missing(ctx context.Context, name string) string {
	if _, _, err := r.store.Standing(ctx, r.parent.ID); errors.Is(err, triggers.ErrNotFound) {
		return r.where() + " was removed"
	}
	return "there is no electron " + name + " in " + r.where()
}

// fate says how an electron of the parent stands that has no result.
func (r *reuse) fate(e graph.Electron) string {
	said := "failed"
	switch e.Status {
	case graph.Running:
		said = "still runs"
	case graph.Pending, graph.New:
		if said = "has not run"; len(e.Attempts) > 0 {
			said = "has not completed"
		}
	case graph.Skipped, graph.Cancelled:
		said = "was " + string(e.Status)
	case graph.Completed, graph.Failed, graph.Lost, graph.Unknown:
	}
	return "it " + said + " in " + r.where()
}

// decide looks at all but the files of inputs, which are left in paths.
func (r *reuse) decide(v *values, i int, c course) (decision, error) {
	d, err := r.previous(v.ctx, i)
	if err != nil || d.why != "" {
		return d, err
	}
	if d.why, err = r.waited(v.ctx, i, c); err != nil || d.why != "" {
		return d, err
	}
	res, err := v.resolved(i)
	if err != nil {
		return d, err
	}
	d.now = r.l.Fingerprint(i, res, v.laidOut(res), nil)
	d.why = r.l.Differences(i, d.now, graph.Compared{Before: d.was, Lattice: r.before, RanAgain: c.ranAgain})
	d.paths = r.l.Paths(i, v.inputs)
	return d, nil
}

// resolved is what electron i would be given.
func (v *values) resolved(i int) (res graph.Resolved, err error) {
	s, err := v.scope(i)
	if err != nil {
		return res, err
	}
	err = v.evaluate(func() (err error) {
		res, err = v.l.Resolve(i, s)
		return err
	})
	return res, err
}

// waited looks at what i waits for without taking data from it: what that has done is
// not seen in its values, so i runs when it did, or when it did not wait for it before.
func (r *reuse) waited(ctx context.Context, i int, c course) (string, error) {
	for _, n := range r.l.Electrons[i].Needs {
		name := r.l.Electrons[n.Electron].Name
		switch {
		case !n.Order:
		case c.ranAgain(n.Electron):
			return "it waits for " + name + ", which ran again", nil
		case !r.waitedBefore(i, name):
			return "it waits for " + name + ", and did not in " + r.where(), nil
		case c.skipped(n.Electron):
			was, err := r.store.Electron(ctx, r.parent.ID, name)
			if err != nil && !errors.Is(err, triggers.ErrNotFound) {
				return "", &previousError{err}
			}
			if err == nil && was.Status != graph.Skipped {
				return "it waits for " + name + ", which was skipped now and not in " + r.where(), nil
			}
		}
	}
	return "", nil
}

// waitedBefore tells whether the namesake of electron i had to wait for another one.
func (r *reuse) waitedBefore(i int, other string) bool {
	if r.before == nil {
		return false
	}
	at, known := r.before.Index(r.l.Electrons[i].Name)
	return known && slices.ContainsFunc(r.before.Electrons[at].Needs, func(n graph.Need) bool {
		return r.before.Electrons[n.Electron].Name == other
	})
}

// looked takes in what was seen of the files.
func (r *reuse) looked(d *decision, seen map[string]look) {
	d.now.Paths = make(map[string]graph.Path, len(seen))
	for _, name := range names(seen) {
		path, why := r.looks.compare(d.was.Paths[name], r.where(), seen[name])
		d.now.Paths[name] = path
		if _, known := d.was.Paths[name]; !known {
			why = "whether " + seen[name].Path.Path + " changed isn't known"
		}
		if why != "" && d.why == "" {
			d.why = why
		}
	}
}

// reused is what is recorded of an electron whose result is taken over.
func (r *reuse) reused(d decision) (*graph.Reused, json.RawMessage, error) {
	from := &graph.Reused{From: d.prev.ReusedFrom, Why: d.prev.Reuse, Stdout: d.prev.Stdout, Stderr: d.prev.Stderr}
	if from.From == "" {
		from.From, from.Why = r.parent.ID, "nothing changed since "+r.where()
		if n := len(d.prev.Attempts); n > 0 {
			from.Stdout, from.Stderr = d.prev.Attempts[n-1].Stdout, d.prev.Attempts[n-1].Stderr
		}
	}
	raw, err := d.now.Encode()
	return from, raw, err
}

// outcomeOf is what an electron of the parent left, for expressions.
func outcomeOf(e graph.Electron) *outcome {
	o := &outcome{result: e.Result, pickle: e.Pickle, files: e.Files, stdout: e.Stdout}
	if n := len(e.Attempts); n > 0 {
		o.stdout = e.Attempts[n-1].Stdout
	}
	return o
}
