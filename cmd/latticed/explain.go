package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newExplain(c *cli) *cobra.Command {
	var trigger, after string
	var limit int
	cmd := &cobra.Command{
		Use:   "explain PATH|DISPATCH",
		Short: "Tell why a file did or did not run, or what made a dispatch",
		Long: `Tell how a file or folder stands with each trigger that watches it: when it was seen
first and changed last, the rule that it does not meet yet, its events, what was decided
about them and why, and how the dispatches went. A number or id is a dispatch; a file of
such a name is written ./7.
`,
		Example: "  latticed explain /data/scans/7.tif\n  latticed explain 12",
		Args:    exactly("PATH|DISPATCH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			if !isDispatch(args[0]) {
				return c.explainPath(cmd.Context(), api, args[0], trigger, limit, after)
			}
			if trigger != "" {
				return usagef("--trigger is about a path, and %s is a dispatch; a file of this name is ./%[1]s", args[0])
			}
			a, err := api.ExplainDispatch(cmd.Context(), args[0])
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			return c.tell("", a.Value.Items)
		},
	}
	cmd.Flags().StringVar(&trigger, "trigger", "", "only this one, of those that watch the path")
	addPage(cmd, &limit, &after)
	return cmd
}

var dispatchWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9]{1,18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)
})

// isDispatch tells the number or id of a dispatch from a path, and from a lattice, which
// should not be called so.
func isDispatch(word string) bool { return dispatchWord().MatchString(word) }

func (c *cli) explainPath(ctx context.Context, api *client.Client, path, trigger string, limit int, after string) error {
	if path == "" {
		return usagef("the path is empty")
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	a, err := api.ExplainPath(ctx, full, trigger, limit, after)
	if err != nil || c.json {
		return c.orRaw(err, a.Raw)
	}
	if len(a.Value.Items) == 0 {
		hint := text(a.Value.Hint)
		if hint == "" {
			hint = "no trigger watches " + full
		}
		_, err := fmt.Fprintln(c.stdout, oneLine(hint))
		return err
	}
	fmt.Fprintf(c.stdout, "%s\n\n", oneLine(full))
	return errors.Join(c.tell(full, a.Value.Items), c.more(a.Value.Next))
}

// tell prints explanations, one paragraph each; path is what was asked about, if one.
func (c *cli) tell(path string, all []client.Explanation) error {
	for i, e := range all {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		if err := c.tellOne(path, e); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) tellOne(path string, e client.Explanation) error {
	rows := [][]string{}
	add := func(name, v string) {
		if v != "" && v != "-" {
			rows = append(rows, []string{name, v})
		}
	}
	if t := e.Trigger; t != nil {
		add("trigger", t.Name+"  "+t.Kind+"  "+t.State)
		add(keyReason, here(text(t.Reason)))
	}
	if f := e.Finding; f != nil {
		add("now", because(f.State, f.Detail))
		if text(f.Unit) != path {
			add("part of", text(f.Unit))
		}
		add("first seen", at(f.FirstSeen))
		add("last change", at(f.LastChange))
		add("until", at(f.Until))
	}
	if d := e.Dispatch; d != nil {
		add("dispatch", outcome(d))
	}
	for _, ev := range e.Events {
		rows = append(rows, tellEvent(ev, e.Dispatch)...)
	}
	if e.Finding != nil && e.Finding.State == "reported" && len(e.Events) == 0 {
		add("event", "none under this name: the file was renamed after it, and is not reported twice")
	}
	if err := c.table(nil, c.wrapped(rows)); err != nil {
		return err
	}
	if next := nextCommand(path, e); next != "" {
		fmt.Fprintf(c.stdout, "\n%s\n", next)
	}
	return nil
}

func because(state, detail string) string {
	switch {
	case detail == "":
		return state
	case state == "waiting" && strings.HasPrefix(detail, "waits"), strings.HasPrefix(detail, state):
		return detail // has said it
	}
	return state + ": " + detail
}

// tellEvent is what became of an event, down to its dispatches but for the one that
// was told already.
func tellEvent(e client.ExplainedEvent, known *client.ExplainedDispatch) [][]string {
	said := at(e.At) + "  " + e.Kind + "  " + state(e.State, e.Reason, nil)
	if known != nil { // else who asks has named it
		said += "  " + what(client.Event{Key: e.Key, Kind: e.Kind, Payload: e.Payload})
	}
	rows := [][]string{{"event", said}}
	if f := e.Firing; f != nil {
		decided := at(f.At) + "  by revision " + strconv.Itoa(f.Revision)
		if f.Events > 1 {
			decided += ", with " + count(f.Events-1, "other event")
		}
		rows = append(rows, []string{"  decided", decided})
	}
	for _, d := range e.BlockedBy {
		rows = append(rows, []string{"  waits for", "the end of dispatch " + outcome(d)})
	}
	for _, d := range e.Dispatches {
		if known == nil || known.ID != d.ID {
			rows = append(rows, []string{"  dispatch", outcome(d)})
		}
	}
	return rows
}

// outcome is how a dispatch stands.
func outcome(d *client.ExplainedDispatch) string {
	said := fmt.Sprintf("%d  %s", d.Number, state(d.Status, d.Reason, d.Waiting))
	if d.Error != nil {
		said += "  " + d.Error.Code + ": " + d.Error.Message
	}
	return said
}

// nextCommand is what one asks next, or does about it.
func nextCommand(path string, e client.Explanation) string {
	name := ""
	if e.Trigger != nil {
		name = e.Trigger.Name
	}
	var dispatches []*client.ExplainedDispatch
	if e.Dispatch != nil {
		dispatches = append(dispatches, e.Dispatch)
	}
	ended := func(state string) bool { return len(e.Events) > 0 && e.Events[0].State == state }
	if len(e.Events) > 0 {
		dispatches = append(dispatches, e.Events[0].Dispatches...)
	}
	failed := slices.IndexFunc(dispatches, func(d *client.ExplainedDispatch) bool { return d.Status == "failed" })
	switch {
	case failed >= 0:
		return fmt.Sprintf("why it failed: latticed show %d", dispatches[failed].Number)
	case len(dispatches) > 0:
		return fmt.Sprintf("all about it: latticed show %d", dispatches[0].Number)
	case ended("rejected"), ended("dead"):
		return "set the trigger right, then: latticed trigger retry " + name
	case ended("skipped"):
		return "run it all the same: latticed trigger fire " + name + " --event " + e.Events[0].ID
	case e.Trigger != nil && e.Trigger.State == "paused":
		return "let it go on: latticed trigger resume " + name + " --backlog fire"
	case ended("held"), ended("pending"):
		return "fire it now: latticed trigger fire " + name + " --event " + e.Events[0].ID
	case e.Finding != nil && e.Finding.State == "existing":
		return "make an event of it: latticed trigger backfill " + name + " --path " + quoted(path)
	case e.Finding != nil && e.Finding.State == "ignored":
		return "the rules of the trigger: latticed trigger show " + name + " --effective"
	}
	return ""
}
