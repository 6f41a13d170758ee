package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTriggerList(c *cli) *cobra.Command {
	var limit int
	var after string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the triggers",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			a, err := api.Triggers(cmd.Context(), page(limit, after))
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			rows := [][]string{}
			for _, t := range a.Value.Items {
				rows = append(rows, []string{
					t.Name, t.Kind, state(t.State, t.Reason, nil), strconv.FormatInt(t.Pending, 10),
					at(t.LastEventAt), at(t.LastFiringAt), at(t.NextAt),
				})
			}
			if err := c.table([]string{"NAME", "KIND", "STATE", "PENDING", "LAST EVENT", "LAST FIRING", "NEXT"}, rows); err != nil {
				return err
			}
			return c.more(a.Value.Next)
		},
	}
	addPage(cmd, &limit, &after)
	return cmd
}

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
	cmd.Flags().BoolVar(&effective, "effective", false, "every setting, and where its value comes from")
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
		{"state", state(t.State, t.Reason, nil)},
		{"pending", fmt.Sprintf("%d%s", t.Pending, lag(t))},
		{"last event", at(t.LastEventAt)},
		{"last firing", at(t.LastFiringAt)},
		{"next", at(t.NextAt)},
		{"owner", t.Owner},
	}
	var all struct {
		Effective []setting `json:"effective"`
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
			rows = append(rows, []string{name, plain(fields[name])})
		}
		return c.table(nil, rows)
	}
	if err := c.table(nil, rows); err != nil {
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
		rows = append(rows, []string{s.Field, plain(s.Value), s.From})
	}
	return c.table([]string{"FIELD", "VALUE", "FROM"}, rows)
}

func lag(t client.Trigger) string {
	if t.LagS == 0 {
		return ""
	}
	return fmt.Sprintf(", the oldest for %.0f s", t.LagS)
}

// plain shows a JSON value; text without its quotes.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return short(raw, shownWidth)
}

func newTriggerEvents(c *cli) *cobra.Command {
	var states []string
	var limit int
	var after string
	cmd := c.onTrigger("events NAME", "List what a trigger saw, newest first",
		func(ctx context.Context, api *client.Client, name string) error {
			q := page(limit, after)
			q["state"] = states
			a, err := api.TriggerEvents(ctx, name, q)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			rows := [][]string{}
			for _, e := range a.Value.Items {
				rows = append(rows, []string{at(e.At), e.Kind, state(e.State, e.Reason, nil), what(e)})
			}
			if err := c.table([]string{"AT", "KIND", "STATE", "EVENT"}, rows); err != nil {
				return err
			}
			return c.more(a.Value.Next)
		})
	cmd.Flags().StringSliceVar(&states, "state", nil, "pending, held, fired, skipped, rejected, dead (repeatable, or with commas)")
	addPage(cmd, &limit, &after)
	return cmd
}

// what names an event for people: the path of a file, else its key.
func what(e client.Event) string {
	var p struct {
		Path string `json:"path"`
	}
	if json.Unmarshal(e.Payload, &p) == nil && p.Path != "" {
		return p.Path
	}
	return e.Key
}

func newTriggerFirings(c *cli) *cobra.Command {
	var limit int
	var after string
	cmd := c.onTrigger("firings NAME", "List what was decided about the events, newest first",
		func(ctx context.Context, api *client.Client, name string) error {
			a, err := api.TriggerFirings(ctx, name, page(limit, after))
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			numbers, err := numbersOf(ctx, api, a.Value.Items)
			if err != nil {
				return err
			}
			rows := [][]string{}
			for _, f := range a.Value.Items {
				rows = append(rows, []string{
					at(f.At), f.Decision, dash(text(f.Reason)), strconv.Itoa(len(f.EventIds)),
					dash(numbers[f.ID]), pairs(f.Inputs, listWidth, nil),
				})
			}
			if err := c.table([]string{"AT", "DECISION", "REASON", "EVENTS", "DISPATCHES", "INPUTS"}, rows); err != nil {
				return err
			}
			return c.more(a.Value.Next)
		})
	addPage(cmd, &limit, &after)
	return cmd
}

// numbersOf finds the numbers of the dispatches of firings: people use those.
func numbersOf(ctx context.Context, api *client.Client, fs []client.Firing) (map[string]string, error) {
	numbers := map[string]string{}
	for _, f := range fs {
		for _, id := range f.DispatchIds {
			a, err := api.Dispatch(ctx, id, 0)
			var no *client.Refused
			said := strconv.FormatInt(a.Value.Number, 10)
			switch {
			case errors.As(err, &no) && no.Code == "not_found":
				said = "(removed)"
			case err != nil:
				return nil, err
			}
			numbers[f.ID] = strings.TrimSpace(numbers[f.ID] + " " + said)
		}
	}
	return numbers, nil
}
