package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTriggerEvents(c *cli) *cobra.Command {
	var states []string
	var limit int
	var after, path string
	var ids bool
	cmd := c.onTrigger("events NAME", "List what a trigger saw, newest first",
		func(ctx context.Context, api *client.Client, name string) error {
			q := page(limit, after)
			q["state"] = states
			if path != "" {
				full, err := filepath.Abs(path)
				if err != nil {
					return err
				}
				q.Set("path", full)
			}
			a, err := api.TriggerEvents(ctx, name, q)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			header := []string{"AT", "KIND", "STATE", "EVENT"}
			rows := [][]string{}
			for _, e := range a.Value.Items {
				row := []string{at(e.At), e.Kind, coded(e.State, text(e.Reason)), what(e)}
				if ids {
					row = append([]string{e.ID}, row...)
				}
				rows = append(rows, row)
			}
			if ids {
				header = append([]string{"ID"}, header...)
			}
			if err := c.table(header, rows); err != nil {
				return err
			}
			return c.more(a.Value.Next)
		})
	cmd.Long = `List what a trigger saw, newest first. STATE ends with why, in a word; latticed explain and
latticed trigger firings tell all of it, and so does --json.
`
	cmd.Flags().StringSliceVar(&states, "state", nil, "pending, held, fired, skipped, rejected, dead (repeatable, or with commas)")
	cmd.Flags().BoolVar(&ids, "ids", false, "also the ids, for trigger fire --event and trigger retry --event")
	cmd.Flags().StringVar(&path, "path", "", "only what is about this file or folder")
	addPage(cmd, &limit, &after)
	return cmd
}

const codeWidth = 40 // of a reason that begins with no code

var codeFirst = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([a-z][a-z_.]*): `) })

// coded shows a state with the code of its reason only, so that what it is about stays
// in sight.
func coded(status, reason string) string {
	if m := codeFirst().FindStringSubmatch(reason); m != nil {
		reason = m[1]
	}
	if reason == "" {
		return status
	}
	return status + " (" + begin(here(reason), codeWidth) + ")"
}

// what names an event for people: the path of a file, also of one that no text can name; the instant of a tick as the
// clocks of its zone show it, with how many it stands for beside; the dispatch that has ended, and how; the table that
// has rows; else its key.
func what(e client.Event) string {
	var p struct {
		Path   string `json:"path"`
		Local  string `json:"local"`
		Missed int64  `json:"missed"`
		Number int64  `json:"number"`
		Status string `json:"status"`
		Table  string `json:"table"`
	}
	switch {
	case json.Unmarshal(e.Payload, &p) != nil:
	case p.Path != "":
		return p.Path
	case e.Kind == "tick" && p.Local != "":
		if p.Missed > 0 {
			return fmt.Sprintf("%s, and %d missed", p.Local, p.Missed)
		}
		return p.Local
	case e.Kind == "missed" && p.Local != "":
		return fmt.Sprintf("%d up to %s", p.Missed+1, p.Local) // itself as well
	}
	switch {
	case e.Kind == "ended" && p.Number > 0:
		return fmt.Sprintf("dispatch %d  %s", p.Number, p.Status)
	case e.Kind == "rows" && p.Table != "":
		return "rows in " + p.Table
	}
	about, _ := ofKey(e.Key)
	return about
}

func newTriggerFirings(c *cli) *cobra.Command {
	var decisions []string
	var limit int
	var after string
	cmd := c.onTrigger("firings NAME", "List what was decided about the events, newest first",
		func(ctx context.Context, api *client.Client, name string) error {
			q := page(limit, after)
			q["decision"] = decisions
			a, err := api.TriggerFirings(ctx, name, q)
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
	cmd.Flags().StringSliceVar(&decisions, "decision", nil, "fired, skipped, rejected, dead (repeatable, or with commas)")
	addPage(cmd, &limit, &after)
	return cmd
}

// fewDispatches is how many of a firing are named one by one.
const fewDispatches = 3

// numbersOf finds the numbers of the dispatches of firings: people use those.
func numbersOf(ctx context.Context, api *client.Client, fs []client.Firing) (map[string]string, error) {
	numbers := map[string]string{}
	for _, f := range fs {
		ids, between := f.DispatchIds, " "
		if n := len(ids); n > fewDispatches { // a sweep, whose numbers follow each other
			ids, between = []string{ids[0], ids[n-1]}, " to "
		}
		for _, id := range ids {
			a, err := api.Dispatch(ctx, id, 0)
			var no *client.Refused
			said := strconv.FormatInt(a.Value.Number, 10)
			switch {
			case errors.As(err, &no) && no.Code == "not_found":
				said = "(removed)"
			case err != nil:
				return nil, err
			}
			if before := numbers[f.ID]; before != "" {
				said = before + between + said
			}
			numbers[f.ID] = said
		}
	}
	return numbers, nil
}
