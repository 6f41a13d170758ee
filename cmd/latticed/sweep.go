package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// sweepFlags are those of latticed sweep.
type sweepFlags struct {
	inputs, labels   []string
	list, name, note string
	limit            int
	dryRun, wait     bool
}

func newSweep(c *cli) *cobra.Command {
	var f sweepFlags
	cmd := &cobra.Command{
		Use:   "sweep FILE|NAME|ID",
		Short: "Run a lattice, or a dispatch again, for each of a grid or list of inputs",
		Long: `Makes one dispatch for each combination of inputs, all under one label, and lets
so many of them run at a time. What is run is a lattice (a file, a name, or an id), or
a dispatch (its number or id), whose other inputs all of them get.

  latticed sweep fit -i bins:=[64,128,256] -i alg:='["lm","dogbox"]' -i image=a.tif
  latticed sweep 17 --list points.csv

A list given with := is the values of a grid, of which the last changes fastest; any
other value is of all. An input that takes a list itself is swept by a list of lists.
`,
		Args: exactly("FILE|NAME|ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.sweep(cmd.Context(), args[0], f)
		},
	}
	fl := cmd.Flags()
	fl.StringArrayVarP(&f.inputs, "input", "i", nil, "the values of an input: key:=[JSON, …], or of all: key=value, key:=JSON, key=@FILE (repeatable)")
	fl.StringVar(&f.list, "list", "", "a file with one combination a row: a list of objects in JSON or YAML, or CSV with the names of inputs first; with a grid each with each")
	fl.StringVar(&f.name, "name", "", "what the sweep is called: the value of the label sweep (default made of lattice and time)")
	fl.StringArrayVar(&f.labels, "label", nil, "a further label key=value of all (repeatable)")
	fl.StringVar(&f.note, "note", "", "a note of all")
	fl.IntVar(&f.limit, "max-in-flight", 0, "how many of them run at a time (default 16)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "only check, and list the combinations")
	fl.BoolVar(&f.wait, "wait", false, "wait until all have ended, and show the table; the exit status says whether all completed")
	return cmd
}

func (c *cli) sweep(ctx context.Context, what string, f sweepFlags) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	s, err := c.newSweep(ctx, api, what, f)
	if err != nil {
		return err
	}
	a, err := api.CreateSweep(ctx, s, f.dryRun)
	if err != nil {
		return c.blame(what, err)
	}
	c.warn(a.Value.Warnings)
	switch {
	case f.dryRun && c.json:
		return c.raw(a.Raw)
	case f.dryRun:
		return c.showCombinations(a.Value)
	case f.wait:
		return c.awaitSweep(ctx, api, a.Value)
	case c.json:
		return c.raw(a.Raw)
	}
	_, err = fmt.Fprintf(c.stdout, "%s, %s, %d at a time; see them with: latticed table --label %s\n",
		a.Value.Label, numbered(a.Value), min(a.Value.MaxInFlight, a.Value.Count), a.Value.Label)
	return err
}

// numbered says which dispatches a sweep has; their numbers follow each other.
func numbered(s client.Sweep) string {
	first := s.Items[0].Number
	if s.Count == 1 {
		return fmt.Sprintf("dispatch %d", first)
	}
	return fmt.Sprintf("dispatches %d to %d", first, first+int64(s.Count)-1)
}

// newSweep makes the request.
func (c *cli) newSweep(ctx context.Context, api *client.Client, what string, f sweepFlags) (client.NewSweep, error) {
	s := client.NewSweep{Name: f.name, Note: f.note, MaxInFlight: f.limit}
	l, err := c.sweepTarget(ctx, api, what, &s)
	if err != nil {
		return s, err
	}
	if s.Labels, err = readPairs("label", f.labels); err != nil {
		return s, err
	}
	if err := readGrid(f.inputs, l, &s); err != nil {
		return s, err
	}
	if f.list != "" {
		rows, err := c.readList(f.list, l.Inputs)
		if err != nil {
			return s, err
		}
		if s.List, err = json.Marshal(rows); err != nil {
			return s, err
		}
	}
	if s.Grid == nil && s.List == nil {
		return s, usagef("nothing is swept: give the values of an input as a list, -i key:=[…], or --list FILE; to run it once use dispatch or redispatch")
	}
	return s, nil
}

// sweepTarget finds the lattice that is run, and says in s what that is.
func (c *cli) sweepTarget(ctx context.Context, api *client.Client, what string, s *client.NewSweep) (*graph.Lattice, error) {
	switch {
	case isFile(what):
		p, err := c.readLattice(ctx, what, uploader(api))
		if err != nil {
			return nil, err
		}
		s.Lattice = p.document
		return p.lattice, nil
	case isDispatch(what):
		s.DispatchID = what
		d, err := api.Dispatch(ctx, what, 0)
		if err != nil {
			return nil, err
		}
		return fetchLattice(ctx, api, d.Value.Lattice.ID)
	}
	s.Lattice, _ = json.Marshal(what) // text
	l, err := fetchLattice(ctx, api, what)
	return l, c.blame(what, err)
}

// showCombinations lists what would be made.
func (c *cli) showCombinations(s client.Sweep) error {
	rows := make([][]string, len(s.Items))
	for i, it := range s.Items {
		rows[i] = []string{strconv.Itoa(i + 1), pairs(it.Inputs, terminalWidth, nil)}
	}
	if err := c.table([]string{"", "INPUTS"}, rows); err != nil {
		return err
	}
	if more := s.Count - len(s.Items); more > 0 {
		fmt.Fprintf(c.stdout, "… and %d more\n", more)
	}
	_, err := fmt.Fprintf(c.stdout, "%s, %d at a time\n", dispatches(s.Count), min(s.MaxInFlight, s.Count))
	return err
}

// awaitSweep waits for the end of all of a sweep and shows the table.
func (c *cli) awaitSweep(ctx context.Context, api *client.Client, s client.Sweep) error {
	q := url.Values{"label": {s.Label}}
	var tell func(left int)
	if c.progress() {
		fmt.Fprintf(c.stderr, "%s, %s …\n", s.Label, numbered(s))
		tell = func(left int) { fmt.Fprintf(c.stderr, "\r%d of %d have ended ", s.Count-left, s.Count) }
	}
	err := api.WaitAll(ctx, q, tell)
	if tell != nil {
		fmt.Fprint(c.stderr, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	failed, one := 0, int64(0)
	if err := api.EachDispatch(ctx, q, func(d client.Dispatch) bool {
		if d.Status != "completed" {
			failed, one = failed+1, d.Number
		}
		return true
	}); err != nil {
		return err
	}
	if err := c.showTable(ctx, api, q, tableFlags{}); err != nil {
		return err
	}
	if failed > 0 {
		c.complain(fmt.Sprintf("%d of %d did not complete; why: latticed show %d", failed, s.Count, one))
		return errFailed
	}
	return nil
}
