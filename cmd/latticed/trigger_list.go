package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

func newTriggerList(c *cli) *cobra.Command {
	var limit int
	var after, kind string
	var states []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the triggers",
		Long: `List the triggers. LAG is for how long the oldest event waits for a decision; REASON says
why a trigger is not active, all of it in trigger show.
`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			q := page(limit, after)
			q["state"] = states
			if kind != "" {
				q.Set("kind", kind)
			}
			a, err := api.Triggers(cmd.Context(), q)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			if len(a.Value.Items) == 0 {
				c.tellKind(kind)
			}
			return c.showTriggers(a.Value)
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "preparing, active, degraded, failing, paused (repeatable, or with commas)")
	cmd.Flags().StringVar(&kind, "kind", "", strings.Join(triggerKinds(), ", "))
	addPage(cmd, &limit, &after)
	return cmd
}

const reasonWidth = 100 // in the list of triggers

func (c *cli) showTriggers(page client.TriggerPage) error {
	header := []string{"NAME", "KIND", "STATE", "PENDING", "LAG", "LAST EVENT", "LAST FIRING", "NEXT"}
	rows := [][]string{}
	reasons := false
	for _, t := range page.Items {
		rows = append(rows, []string{
			t.Name, t.Kind, t.State, strconv.FormatInt(t.Pending, 10), lag(t),
			at(t.LastEventAt), at(t.LastFiringAt), at(t.NextAt), begin(oneLine(here(text(t.Reason))), reasonWidth),
		})
		reasons = reasons || text(t.Reason) != ""
	}
	if reasons {
		header = append(header, "REASON")
	}
	if err := c.table(header, rows); err != nil {
		return err
	}
	return c.more(page.Next)
}

// lag is for how long the oldest event waits.
func lag(t client.Trigger) string {
	if t.LagS <= 0 {
		return "-"
	}
	return span(time.Duration(t.LagS * float64(time.Second)))
}

// span shows how long something takes or took, in the two largest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return graph.Span(d.Round(time.Second))
	case d < 2*day:
		return graph.Span(d.Round(time.Minute))
	}
	d = d.Round(time.Hour)
	days := strconv.Itoa(int(d/day)) + "d"
	if d %= day; d > 0 {
		days += graph.Span(d)
	}
	return days
}
