package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

func newList(c *cli) *cobra.Command {
	var filters filterFlags
	var order, after string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dispatches, newest first",
		Args:  exactly(),
	}
	filters.add(cmd)
	f := cmd.Flags()
	f.StringVar(&order, "order", "", "newest (default) or oldest first")
	f.StringVar(&after, "after", "", "the next page: what the last one named")
	f.IntVar(&limit, "limit", 0, "how many (default 50, at most 500)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q, err := filters.query()
		if err != nil {
			return err
		}
		for name, v := range map[string]string{"order": order, "after": after} {
			if v != "" {
				q.Set(name, v)
			}
		}
		if limit != 0 {
			q.Set("limit", strconv.Itoa(limit))
		}
		api, err := c.connect()
		if err != nil {
			return err
		}
		a, err := api.Dispatches(cmd.Context(), q)
		if err == nil && len(a.Value.Items) == 0 {
			c.tellUnknown(cmd.Context(), api, q.Get("lattice"), q.Get("trigger"))
		}
		if err != nil || c.json {
			return c.orRaw(err, a.Raw)
		}
		return c.showList(a.Value, defaultsOf(cmd.Context(), api))
	}
	return cmd
}

func addInputs(q url.Values, words []string) error {
	pairs, err := readPairs("input", words)
	for k, v := range pairs {
		q.Set("input."+k, v)
	}
	return err
}

// addInstant reads an instant, or how long ago.
func addInstant(q url.Values, name, v string) error {
	at, err := instant(name, v)
	if at != "" {
		q.Set(name, at)
	}
	return err
}

// instant reads what a flag says of a time: an instant, or how long ago.
func instant(flag, v string) (string, error) {
	if v == "" {
		return "", nil
	}
	if _, err := time.Parse(time.RFC3339, v); err == nil {
		return v, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, v, time.Local); err == nil {
		return day.UTC().Format(time.RFC3339), nil
	}
	ago, err := graph.DurationWithUnit(v)
	if unit := (*graph.UnitError)(nil); errors.As(err, &unit) {
		return "", usagef("--%s: %v", flag, unit)
	}
	if err != nil {
		return "", usagef("--%s %s: write an instant such as 2026-03-01T12:00:00Z, a day such as 2026-03-01, or a duration such as 2h", flag, v)
	}
	return time.Now().Add(-ago).UTC().Format(time.RFC3339Nano), nil
}

const listWidth = 60

// showList shows dispatches, of their inputs first those that were given.
func (c *cli) showList(page client.DispatchPage, defaults func(lattice string) map[string]string) error {
	rows := [][]string{}
	for _, d := range page.Items {
		known := defaults(d.Lattice.ID)
		given := func(key string, v json.RawMessage) bool {
			text, ok := known[key]
			return !ok || text != canonical(v)
		}
		rows = append(rows, []string{
			strconv.FormatInt(d.Number, 10), d.Lattice.Name, brief(d.Status, d.Reason, d.Waiting), at(d.CreatedAt),
			took(d.StartedAt, d.EndedAt), dash(text(d.Trigger)), pairs(d.Inputs, listWidth, given),
		})
	}
	if err := c.table([]string{"NUMBER", "LATTICE", "STATUS", "CREATED", "TOOK", "TRIGGER", "INPUTS"}, rows); err != nil {
		return err
	}
	return c.more(page.Next)
}

// defaultsOf finds the defaults of lattices, each once. It is for order only: a lattice
// that can't be read has none.
func defaultsOf(ctx context.Context, api *client.Client) func(lattice string) map[string]string {
	known := map[string]map[string]string{}
	return func(id string) map[string]string {
		if found, ok := known[id]; ok {
			return found
		}
		known[id] = map[string]string{}
		if l, err := fetchLattice(ctx, api, id); err == nil {
			for _, in := range l.Inputs {
				if raw, err := graph.Canonical(in.Default); err == nil && !in.Required {
					known[id][in.Name] = string(raw)
				}
			}
		}
		return known[id]
	}
}

// canonical makes equal values equal texts.
func canonical(raw json.RawMessage) string {
	v, err := graph.DecodeValue(raw)
	if err != nil {
		return string(raw)
	}
	text, err := graph.Canonical(v)
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// more says how to see the next page.
func (c *cli) more(next *string) error {
	if text(next) == "" {
		return nil
	}
	_, err := fmt.Fprintf(c.stderr, "there is more: --after %s\n", strings.TrimSpace(*next))
	return err
}
