package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTriggerShow(c *cli) *cobra.Command {
	var effective bool
	cmd := c.onTrigger("show NAME", "Show a trigger",
		func(ctx context.Context, api *client.Client, name string) error {
			a, err := api.Trigger(ctx, name, effective)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			return c.showTrigger(a.Value, a.Raw)
		})
	cmd.Flags().BoolVar(&effective, "effective", false, "every setting, where its value comes from, and what could be better")
	return cmd
}

// setting is one of `effective`.
type setting struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
	From  string          `json:"from"`
}

func (c *cli) showTrigger(t client.Trigger, raw json.RawMessage) error {
	rows := [][]string{
		{"trigger", t.Name + "  " + t.ID},
		{"kind", t.Kind},
		{"revision", strconv.Itoa(t.Revision)},
		{"state", t.State},
		{keyReason, here(text(t.Reason))},
		{"pending", pending(t)},
		{"last event", at(t.LastEventAt)},
		{"last firing", at(t.LastFiringAt)},
		{"next", at(t.NextAt)},
		{"backfill", backfilling(t.Backfill)},
		{"owner", t.Owner},
	}
	rows = slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
	var all struct {
		Effective []setting        `json:"effective"`
		Advice    []client.Warning `json:"advice"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	if all.Effective == nil {
		for _, name := range sortedKeys(t.AdditionalProperties) {
			said := plain(fields[name])
			if name == "inputs" {
				said = pairs(fields[name], shownWidth, nil)
			}
			rows = append(rows, []string{name, said})
		}
		return c.table(nil, c.wrapped(rows))
	}
	if err := c.table(nil, c.wrapped(rows)); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout)
	slices.SortFunc(all.Effective, func(a, b setting) int {
		if a.Field < b.Field {
			return -1
		}
		return 1
	})
	rows = rows[:0]
	for _, s := range all.Effective {
		rows = append(rows, []string{s.Field, dash(plain(s.Value)), s.From})
	}
	if err := c.table([]string{"FIELD", "VALUE", "FROM"}, rows); err != nil {
		return err
	}
	for _, w := range all.Advice {
		fmt.Fprintf(c.stdout, "\n%s\n", oneLine(w.Message))
	}
	return nil
}

// pending says how many events wait, and for how long.
func pending(t client.Trigger) string {
	said := strconv.FormatInt(t.Pending, 10)
	if t.LagS > 0 {
		said += ", the oldest for " + lag(t)
	}
	return said
}

// backfilling says how far a backfill is; empty when none is under way.
func backfilling(b *client.Backfilled) string {
	if b == nil {
		return ""
	}
	return fmt.Sprintf("%d of %d events are made", b.Emitted, b.Found-b.Known)
}

// plain shows a JSON value; text without its quotes.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return short(raw, shownWidth)
}
