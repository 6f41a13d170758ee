package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

// tableFlags are those of latticed table, besides the filters.
type tableFlags struct {
	columns []string
	csv     bool
	order   string
	limit   int
}

// tableRows is how many rows a table has unless more are asked for.
const tableRows = 10_000

func newTable(c *cli) *cobra.Command {
	var filters filterFlags
	var f tableFlags
	cmd := &cobra.Command{
		Use:   "table",
		Short: "Show dispatches as a table of inputs and results",
		Long: `Shows a row for each dispatch that the filters find, the first made first.

A column is a field of a dispatch (number, id, status, lattice, note, trigger,
parent_id, created_at, started_at, ended_at, took, error) or a part of its inputs,
result or labels: inputs.bins, result.fit.r2, result.peaks.0, labels.sample. Without
--columns those are the number, the status, the inputs that differ, and the result.
What is not there is "-", and empty in CSV.

  latticed table --label sweep=fit --columns inputs.bins,result.fit.r2 --csv > fit.csv
`,
		Args: exactly(),
	}
	filters.add(cmd)
	fl := cmd.Flags()
	fl.StringSliceVar(&f.columns, "columns", nil, "which columns, with commas: inputs.a,result.x,status")
	fl.BoolVar(&f.csv, "csv", false, "print CSV")
	fl.StringVar(&f.order, "order", "", "oldest (default) or newest first")
	fl.IntVar(&f.limit, "limit", 0, "how many rows at most (default 10000)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q, err := filters.query()
		if err != nil {
			return err
		}
		if f.csv && c.json {
			return usagef("--csv and --json exclude each other")
		}
		if f.limit < 0 {
			return usagef("--limit: must be a positive number, not %d", f.limit)
		}
		api, err := c.connect()
		if err != nil {
			return err
		}
		return c.showTable(cmd.Context(), api, q, f)
	}
	return cmd
}

// showTable prints the dispatches that a filter finds.
func (c *cli) showTable(ctx context.Context, api *client.Client, q url.Values, f tableFlags) error {
	q = maps.Clone(q)
	q.Set("order", "oldest")
	if f.order != "" {
		q.Set("order", f.order)
	}
	if f.limit == 0 {
		f.limit = tableRows
	}
	columns, err := readColumns(f.columns)
	if err != nil {
		return err
	}
	named := columns
	if columns == nil {
		if columns, err = c.ownColumns(ctx, api, q, f.limit); err != nil {
			return err
		}
	}
	used := map[string]bool{}
	ended, none := false, true
	err = c.printTable(columns, f, func(row func(client.Dispatch) error) error {
		return eachRow(ctx, api, q, f.limit, func(d client.Dispatch) error {
			ended, none = ended || d.Status == "completed", false
			for _, col := range named {
				used[col.name] = used[col.name] || col.value(d) != nil
			}
			return row(d)
		}, c)
	})
	if err == nil {
		c.tellUnused(named, used, ended)
	}
	if err == nil && none {
		c.tellUnknown(ctx, api, q.Get("lattice"), q.Get("trigger"))
	}
	return err
}

// tellUnused names the columns that no row has a value for, which may be misspelt; what
// is in results is known only when some are there.
func (c *cli) tellUnused(columns []column, used map[string]bool, ended bool) {
	for _, col := range columns {
		if has, seen := used[col.name]; seen && !has && (col.first == "inputs" || col.first == "labels" || col.first == "result" && ended) {
			c.complain("warning: no row has a value for " + col.name)
		}
	}
}

// eachRow reads up to limit dispatches, and says when there are more.
func eachRow(ctx context.Context, api *client.Client, q url.Values, limit int, row func(client.Dispatch) error, c *cli) error {
	n, more := 0, false
	var failed error
	err := api.EachDispatch(ctx, q, func(d client.Dispatch) bool {
		if more = n == limit; more {
			return false
		}
		n++
		failed = row(d)
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err == nil && more && c != nil {
		fmt.Fprintf(c.stderr, "there are more than %d: --limit, or narrower filters\n", limit)
	}
	return err
}

// printTable prints what rows hands over.
func (c *cli) printTable(columns []column, f tableFlags, rows func(func(client.Dispatch) error) error) error {
	names := make([]string, len(columns))
	for i, col := range columns {
		names[i] = col.name
	}
	switch {
	case f.csv:
		w := csv.NewWriter(c.stdout)
		if err := w.Write(names); err != nil {
			return err
		}
		if err := rows(func(d client.Dispatch) error { return w.Write(plainCells(columns, d)) }); err != nil {
			return err
		}
		w.Flush()
		return w.Error()
	case c.json:
		enc := json.NewEncoder(c.stdout)
		enc.SetEscapeHTML(false)
		return rows(func(d client.Dispatch) error { return enc.Encode(objectOf(columns, d)) })
	}
	all := [][]string{}
	err := rows(func(d client.Dispatch) error {
		all = append(all, shownCells(columns, d))
		return nil
	})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(c.stdout, "nothing is found")
		return err
	}
	return c.table(headings(names), all)
}
