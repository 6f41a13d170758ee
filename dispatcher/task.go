package dispatcher

import (
	"fmt"
	"maps"
	"slices"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// task resolves electron i into what an executor runs, and what its fingerprint is made
// of. Who it is, the caller adds.
func (k *walk) task(i int) (executors.Task, *evidence, error) {
	v, spec := k.vals, &k.l.Electrons[i]
	s, err := v.scope(i)
	if err != nil {
		return executors.Task{}, nil, err
	}
	var r graph.Resolved
	if err := v.evaluate(func() (err error) {
		r, err = k.l.Resolve(i, s)
		return err
	}); err != nil {
		return executors.Task{}, nil, err
	}
	t := executors.Task{
		Body: spec.Body, Argv: r.Argv, Env: r.Env, Unset: r.Unset, Args: r.Args,
		Outputs: spec.Outputs, Result: spec.Result,
		Timeout: spec.Timeout, Grace: spec.Grace, Resources: spec.Resources,
	}
	included, err := k.included()
	if err != nil {
		return executors.Task{}, nil, err
	}
	t.Files = slices.Clip(included)
	for _, ref := range r.Files {
		from := k.l.Electrons[ref.Electron].Name
		f, err := v.file(graph.InPath(from, ref.Name), v.left[ref.Electron].files[ref.Name])
		if err != nil {
			return executors.Task{}, nil, fmt.Errorf("file %s of electron %s: %w", ref.Name, from, err)
		}
		f.ReadOnly = true
		t.Files = append(t.Files, f)
	}
	for arg, from := range r.ResultArgs {
		o := v.left[from]
		if o == nil || o.pickle == nil {
			continue
		}
		f, err := v.file(arg, *o.pickle)
		if err != nil {
			return executors.Task{}, nil, fmt.Errorf("result of electron %s: %w", k.l.Electrons[from].Name, err)
		}
		if t.Pickles == nil {
			t.Pickles = map[string]executors.File{}
		}
		t.Pickles[arg] = f
	}
	return t, k.evidenceOf(i, r), nil
}

// included returns the packed files of the lattice, the same for all its electrons.
func (k *walk) included() ([]executors.File, error) {
	if k.include != nil {
		return k.include, nil
	}
	fs := make([]executors.File, 0, len(k.l.Include))
	for _, path := range slices.Sorted(maps.Keys(k.l.Include)) {
		inc := k.l.Include[path]
		if inc.SHA256 == "" {
			fs = append(fs, executors.File{Name: path, Size: int64(len(inc.Data)), Data: notNil(inc.Data)})
			continue
		}
		size, err := k.vals.size(inc.SHA256)
		if err != nil {
			return nil, fmt.Errorf("included file %s: %w", path, err)
		}
		f, err := k.vals.file(path, graph.Asset{SHA256: inc.SHA256, Size: size})
		if err != nil {
			return nil, fmt.Errorf("included file %s: %w", path, err)
		}
		fs = append(fs, f)
	}
	k.include = fs
	return fs, nil
}
