package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

// apply is one run of trigger apply.
type apply struct {
	*cli
	api     *client.Client
	file    string
	dry     bool
	prune   bool
	confirm int

	done []applied
}

const removed = "removed"

// applied is what was done about a trigger, or would be.
type applied struct {
	Name    string          `json:"name"`
	Result  string          `json:"result"` // created, revised, unchanged or removed
	Trigger json.RawMessage `json:"trigger,omitempty"`
	Preview json.RawMessage `json:"preview,omitempty"` // of a dry run

	state   string
	reason  string
	preview client.Preview
}

func newTriggerApply(c *cli) *cobra.Command {
	a := apply{cli: c}
	cmd := &cobra.Command{
		Use:   "apply -f FILE [--prune] [--dry-run]",
		Short: "Make the triggers be as a file says",
		Long: `Make the triggers be as a file says, YAML or JSON: a list of them under the key
triggers, or one in each document between lines of ---. A trigger that is not there yet
is created, one that differs gets a new revision, one that is the same is left alone; so
the same file may be applied again and again. A relative dir_path is relative to the
file. What latticed trigger export prints can be applied.

All of the file is tried by dry runs first: when anything of it is refused, nothing is
changed.

Triggers that the file does not name stay as they are, unless --prune is given: then
they are removed, and --confirm has to say how many that are.
`,
		Example: "  latticed trigger export >triggers.yaml\n  latticed trigger apply -f triggers.yaml --dry-run",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVarP(&a.file, "file", "f", "", "the file, - for standard input (required)")
	f.BoolVar(&a.prune, "prune", false, "remove the triggers that the file does not name")
	f.IntVar(&a.confirm, "confirm", 0, "how many triggers --prune removes")
	f.BoolVar(&a.dry, "dry-run", false, "only say what would be done")
	return cmd
}

func (a *apply) run(ctx context.Context) error {
	all, err := a.read()
	if err != nil {
		return err
	}
	if a.api, err = a.connect(); err != nil {
		return err
	}
	surplus, err := a.surplus(ctx, all)
	if err != nil {
		return err
	}
	previews, err := a.try(ctx, all)
	if err != nil {
		return err
	}
	if a.dry {
		a.done = previews
		for _, name := range surplus {
			a.done = append(a.done, applied{Name: name, Result: removed})
		}
		return a.show()
	}
	for i, w := range all {
		if err := a.put(ctx, w, previews[i].Result); err != nil {
			return a.halfway(inTrigger(a.file, w, err), len(all)+len(surplus))
		}
	}
	for _, name := range surplus {
		if err := a.api.DeleteTrigger(ctx, name); err != nil {
			return a.halfway(fmt.Errorf("remove %s: %w", name, err), len(all)+len(surplus))
		}
		a.done = append(a.done, applied{Name: name, Result: removed})
	}
	return a.show()
}

// halfway shows what was done before an error that no dry run has told.
func (a *apply) halfway(err error, all int) error {
	return errors.Join(a.show(), err, fmt.Errorf("%d of %s; apply the file again for the rest", len(a.done), count(all, "change")+" made"))
}

func (a *apply) read() ([]written, error) {
	var src []byte
	var err error
	dir := "."
	switch a.file {
	case "":
		return nil, usagef("-f is missing; usage: latticed trigger apply -f FILE [--prune] [--dry-run]")
	case "-":
		a.file = "standard input"
		src, err = io.ReadAll(io.LimitReader(a.stdin, maxDocument))
	default:
		dir = filepath.Dir(a.file)
		src, err = a.readSource(a.file)
	}
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	return readTriggers(a.file, dir, src)
}

// surplus are the triggers that --prune removes; as many have to be confirmed.
func (a *apply) surplus(ctx context.Context, all []written) ([]string, error) {
	if !a.prune {
		if a.confirm != 0 {
			return nil, usagef("--confirm is about --prune, which is missing")
		}
		return nil, nil
	}
	existing, err := allTriggers(ctx, a.api)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range existing {
		if !slices.ContainsFunc(all, func(w written) bool { return w.name == t.Value.Name }) {
			names = append(names, t.Value.Name)
		}
	}
	if n := len(names); n > 0 && a.confirm != n && !a.dry {
		return nil, fmt.Errorf("--prune would remove %s that %s not in %s: %s; if that is right, say --confirm %d", count(n, "trigger"), areIs(n), a.file, strings.Join(names, ", "), n)
	}
	return names, nil
}

func areIs(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// try asks what each trigger would lead to, and for all that is refused, before
// anything is changed.
func (a *apply) try(ctx context.Context, all []written) ([]applied, error) {
	previews := make([]applied, 0, len(all))
	var refused error
	for _, w := range all {
		body, err := json.Marshal(w.spec)
		if err != nil {
			return nil, err
		}
		p, err := a.api.PreviewPut(ctx, w.name, body)
		var no *client.Refused
		switch {
		case errors.As(err, &no):
			refused = errors.Join(refused, inTrigger(a.file, w, err))
		case err != nil:
			return nil, err
		}
		previews = append(previews, applied{Name: w.name, Result: p.Value.Change, Preview: p.Raw, preview: p.Value})
	}
	if refused != nil {
		return nil, errors.Join(refused, errors.New("nothing was changed"))
	}
	return previews, nil
}

// put applies one trigger; result is what that leads to.
func (a *apply) put(ctx context.Context, w written, result string) error {
	body, err := json.Marshal(w.spec)
	if err != nil {
		return err
	}
	t, err := a.api.PutTrigger(ctx, w.name, body)
	if err != nil {
		return err
	}
	a.done = append(a.done, applied{Name: w.name, Result: result, Trigger: t.Raw, state: t.Value.State, reason: here(text(t.Value.Reason))})
	a.warnAbout(w.name, t.Value.Warnings)
	return nil
}
