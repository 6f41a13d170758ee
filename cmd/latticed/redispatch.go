package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// redispatchFlags are those that dispatch hasn't.
type redispatchFlags struct {
	runFlags
	unset   []string
	replace []string
	lattice string
	reuse   bool
	dry     bool
}

func newRedispatch(c *cli) *cobra.Command {
	var f redispatchFlags
	cmd := &cobra.Command{
		Use:   "redispatch ID",
		Short: "Run a dispatch again, with inputs, electrons or the lattice changed",
		Args:  exactly("ID"),
		Example: "  latticed redispatch 12 -i bins=512 --reuse --dry-run\n" +
			"  latticed redispatch 12 --replace fit=fit.yaml --reuse",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			api, err := c.connect()
			if err != nil {
				return err
			}
			r, err := c.newRedispatch(ctx, api, args[0], f)
			if err != nil {
				return err
			}
			if f.dry {
				a, err := api.PlanRedispatch(ctx, args[0], r)
				if err != nil || c.json {
					return c.orRaw(err, a.Raw)
				}
				return c.showPlan(a.Value)
			}
			a, err := api.Redispatch(ctx, args[0], r)
			if err != nil {
				return err
			}
			return c.begun(ctx, api, a, f.wait)
		},
	}
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringArrayVar(&f.unset, "unset", nil, "an input that goes back to its default (repeatable)")
	fl.StringVar(&f.lattice, "lattice", "", "run this lattice instead: a file, or a stored one by name or id")
	fl.StringArrayVar(&f.replace, "replace", nil, "NAME=FILE: another document in the place of an electron (repeatable)")
	fl.BoolVar(&f.reuse, "reuse", false, "take over the results of electrons of which nothing has changed")
	fl.BoolVar(&f.dry, "dry-run", false, "only say of each electron whether it would be reused or run, and why; with --where: only list what is found")
	return cmd
}

// newRedispatch makes the request.
func (c *cli) newRedispatch(ctx context.Context, api *client.Client, id string, f redispatchFlags) (r client.NewRedispatch, err error) {
	r = client.NewRedispatch{Note: f.note, DisableRun: f.disable, Unset: f.unset, ReusePreviousResults: f.reuse}
	if r.Labels, err = readPairs("label", f.labels); err != nil {
		return r, err
	}
	if r.ReplaceElectrons, err = c.readReplacements(f.replace); err != nil {
		return r, err
	}
	var l *graph.Lattice
	switch {
	case isFile(f.lattice):
		p, err := c.readLattice(ctx, f.lattice, uploader(api))
		if err != nil {
			return r, err
		}
		l, r.Lattice = p.lattice, p.document
	case f.lattice != "":
		r.Lattice, _ = json.Marshal(f.lattice) // text is always JSON
	}
	if len(f.inputs) == 0 {
		return r, nil
	}
	if l == nil {
		if l, err = c.latticeToRun(ctx, api, id, f.lattice); err != nil {
			return r, err
		}
	}
	r.Inputs, err = readInputs(f.inputs, l.Inputs)
	return r, err
}

// latticeToRun is what a redispatch runs: a named lattice, or that of the dispatch.
func (c *cli) latticeToRun(ctx context.Context, api *client.Client, id, name string) (*graph.Lattice, error) {
	if name == "" {
		earlier, err := api.Dispatch(ctx, id, 0)
		if err != nil {
			return nil, err
		}
		name = earlier.Value.Lattice.ID
	}
	return fetchLattice(ctx, api, name)
}

// readReplacements reads the words of --replace.
func (c *cli) readReplacements(words []string) (map[string]json.RawMessage, error) {
	if len(words) == 0 {
		return nil, nil
	}
	docs := make(map[string]json.RawMessage, len(words))
	for _, word := range words {
		name, file, ok := strings.Cut(word, "=")
		if !ok || name == "" || file == "" {
			return nil, usagef("--replace %s: write NAME=FILE, the name of an electron and a file with its new document", word)
		}
		if _, twice := docs[name]; twice {
			return nil, usagef("--replace %s: the electron is given twice", name)
		}
		src, err := c.readSource(file)
		if err != nil {
			return nil, err
		}
		s, err := graph.Decode(src)
		if err != nil {
			return nil, inFile(file, err)
		}
		if docs[name], err = s.Document(); err != nil {
			return nil, inFile(file, err)
		}
	}
	return docs, nil
}

// showPlan shows what a redispatch would do.
func (c *cli) showPlan(p client.RedispatchPlan) error {
	c.warn(p.Warnings)
	rows := make([][]string, 0, len(p.Electrons))
	for _, e := range p.Electrons {
		rows = append(rows, []string{e.Name, e.Action, printable(e.Reason)})
	}
	return c.table([]string{"ELECTRON", "ACTION", "WHY"}, rows)
}
