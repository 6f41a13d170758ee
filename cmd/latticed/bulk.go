package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/latticed/latticed/api/client"
)

// bulk is what --where asks for.
type bulk struct {
	where  client.Where
	max    int
	dryRun bool
	yes    bool
}

// doBulk sends it; dryRun may be asked for though b doesn't.
type doBulk func(ctx context.Context, api *client.Client, cmd *cobra.Command, b bulk, dryRun bool) (client.Answer[client.BulkDone], error)

// withWhere gives a command about one dispatch a second form, about all that a filter
// finds. verb says what was done to them.
func (c *cli) withWhere(cmd *cobra.Command, verb string, do doBulk) *cobra.Command {
	var where []string
	var b bulk
	f := cmd.Flags()
	f.StringArrayVar(&where, "where", nil, "all that these filters find, instead of ID: lattice=NAME,status=failed,since=2h,label=KEY=VALUE,input.NAME=VALUE … (repeatable: all hold)")
	f.IntVar(&b.max, "max", 0, "with --where: refused when more are found (default 100, at most 10000)")
	f.BoolVar(&b.yes, "yes", false, "with --where: don't ask")
	if f.Lookup("dry-run") == nil {
		f.Bool("dry-run", false, "with --where: only list what is found")
	}
	one, args := cmd.RunE, cmd.Args
	cmd.Use += " | --where FILTERS"
	cmd.Args = func(cmd *cobra.Command, words []string) error {
		switch {
		case len(where) == 0:
			for _, name := range []string{"max", "yes"} {
				if cmd.Flags().Changed(name) {
					return usagef("--%s is for --where", name)
				}
			}
			return args(cmd, words)
		case len(words) > 0:
			return usagef("give %s or --where, not both", words[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		b.dryRun = cmd.Flags().Lookup("dry-run").Value.String() == "true"
		if len(where) == 0 {
			return one(cmd, words)
		}
		var err error
		if b.where, err = readWhere(where); err != nil {
			return err
		}
		api, err := c.connect()
		if err != nil {
			return err
		}
		return c.bulk(cmd, api, b, verb, do)
	}
	return cmd
}

// bulk asks first when somebody sits there, and shows what was done.
func (c *cli) bulk(cmd *cobra.Command, api *client.Client, b bulk, verb string, do doBulk) error {
	ctx := cmd.Context()
	if b.dryRun || c.asks() && !b.yes {
		a, err := do(ctx, api, cmd, b, true)
		if err != nil {
			return err
		}
		if a.Value.Found == 0 {
			c.tellUnknown(ctx, api, b.where.Lattice, b.where.Trigger)
		}
		if b.dryRun && c.json {
			return c.raw(a.Raw)
		}
		if b.dryRun || a.Value.Found == 0 {
			return c.showFound(a.Value, verb)
		}
		if !c.ask(fmt.Sprintf("%s will be %s. Go on?", dispatches(a.Value.Found-a.Value.Refused), verb)) {
			return nil
		}
	}
	a, err := do(ctx, api, cmd, b, false)
	if err != nil {
		return err
	}
	if a.Value.Found == 0 {
		c.tellUnknown(ctx, api, b.where.Lattice, b.where.Trigger)
	}
	if c.json {
		return c.raw(a.Raw)
	}
	return c.showDone(a.Value, verb)
}

// asks tells whether there is somebody to be asked.
func (c *cli) asks() bool {
	f, ok := c.stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && !c.json
}

// ask asks for yes or no; no is what is not yes, also the end of the input.
func (c *cli) ask(question string) bool {
	fmt.Fprintf(c.stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(c.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}

func dispatches(n int) string {
	if n == 1 {
		return "1 dispatch"
	}
	return strconv.Itoa(n) + " dispatches"
}

// showFound lists what a dry run has found.
func (c *cli) showFound(d client.BulkDone, verb string) error {
	if d.Found == 0 {
		_, err := fmt.Fprintln(c.stdout, "nothing is found")
		return err
	}
	head := []string{"NUMBER", "STATUS"}
	if d.Refused > 0 {
		head = append(head, "REFUSED")
	}
	rows := make([][]string, 0, len(d.Items))
	for _, it := range d.Items {
		row := []string{strconv.FormatInt(it.Number, 10), it.Status, dash(oneLine(it.Error))}
		rows = append(rows, row[:len(head)])
	}
	if err := c.table(head, rows); err != nil {
		return err
	}
	if more := d.Found - len(d.Items); more > 0 {
		fmt.Fprintf(c.stdout, "… and %d more\n", more)
	}
	_, err := fmt.Fprintf(c.stdout, "%s would be %s\n", dispatches(d.Found-d.Refused), verb)
	return err
}

// showDone says what was done, and first what was not.
func (c *cli) showDone(d client.BulkDone, verb string) error {
	for _, it := range d.Items {
		if it.Error != "" {
			fmt.Fprintf(c.stderr, "latticed: dispatch %d: %s\n", it.Number, oneLine(it.Error))
		}
	}
	if d.Found == 0 {
		_, err := fmt.Fprintln(c.stdout, "nothing is found")
		return err
	}
	said := fmt.Sprintf("%s %s", dispatches(d.Done), verb)
	if d.Done != d.Found {
		said += fmt.Sprintf(", of %d found", d.Found)
	}
	if d.Label != "" {
		said += fmt.Sprintf("; see them with: latticed table --label %s", d.Label)
	}
	if _, err := fmt.Fprintln(c.stdout, said); err != nil || d.Refused == 0 {
		return err
	}
	return fmt.Errorf("%s refused", were(d.Refused))
}

func were(n int) string {
	if n == 1 {
		return "1 was"
	}
	return fmt.Sprintf("%d were", n)
}

// bulkCancel asks all that is found to end.
func bulkCancel(ctx context.Context, api *client.Client, cmd *cobra.Command, b bulk, dryRun bool) (client.Answer[client.BulkDone], error) {
	if err := forOne(cmd, "wait"); err != nil {
		return client.Answer[client.BulkDone]{}, err
	}
	return api.BulkCancel(ctx, client.BulkCancel{Where: b.where, Max: b.max, DryRun: dryRun})
}

// bulkRedispatch runs all that is found again, with the flags of redispatch.
func bulkRedispatch(ctx context.Context, api *client.Client, cmd *cobra.Command, b bulk, dryRun bool) (client.Answer[client.BulkDone], error) {
	none := client.Answer[client.BulkDone]{}
	r := client.BulkRedispatch{Where: b.where, Max: b.max, DryRun: dryRun, Unset: listFlag(cmd, "unset")}
	if err := forOne(cmd, "wait", "disable-run", "replace", "lattice"); err != nil {
		return none, err
	}
	if f := cmd.Flags().Lookup("note"); f != nil {
		r.Note = f.Value.String()
	}
	if f := cmd.Flags().Lookup("reuse"); f != nil {
		r.ReusePreviousResults = f.Value.String() == "true"
	}
	if f := cmd.Flags().Lookup("max-in-flight"); f != nil {
		r.MaxInFlight, _ = strconv.Atoi(f.Value.String()) // the flag is a number
	}
	var err error
	if r.Labels, err = readPairs("label", listFlag(cmd, "label")); err != nil {
		return none, err
	}
	if words := listFlag(cmd, "input"); len(words) > 0 {
		if r.Inputs, err = inputsOfFound(ctx, api, b, words); err != nil {
			return none, err
		}
	}
	return api.BulkRedispatch(ctx, r)
}

// forOne refuses flags that are about a single dispatch.
func forOne(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			return usagef("--%s is for one dispatch, not for --where", name)
		}
	}
	return nil
}

// inputsOfFound reads inputs by what the lattice of the newest that is found declares.
func inputsOfFound(ctx context.Context, api *client.Client, b bulk, words []string) (json.RawMessage, error) {
	found, err := api.BulkRedispatch(ctx, client.BulkRedispatch{Where: b.where, Max: b.max, DryRun: true})
	if err != nil || found.Value.Found == 0 {
		return nil, err
	}
	newest := found.Value.Items[0]
	for _, it := range found.Value.Items {
		if it.Number > newest.Number {
			newest = it
		}
	}
	d, err := api.Dispatch(ctx, newest.ID, 0)
	if err != nil {
		return nil, err
	}
	l, err := fetchLattice(ctx, api, d.Value.Lattice.ID)
	if err != nil {
		return nil, err
	}
	return readInputs(words, l.Inputs)
}

// listFlag is what a repeatable flag was given.
func listFlag(cmd *cobra.Command, name string) []string {
	f := cmd.Flags().Lookup(name)
	if f == nil {
		return nil
	}
	list, ok := f.Value.(pflag.SliceValue)
	if !ok {
		return nil
	}
	return list.GetSlice()
}

// redispatchMany is withWhere for redispatch.
func (c *cli) redispatchMany(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Int("max-in-flight", 0, "with --where: how many of them run at a time (default 16)")
	return c.withWhere(cmd, "run again", bulkRedispatch)
}
