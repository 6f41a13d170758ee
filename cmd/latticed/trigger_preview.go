package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTriggerTest(c *cli) *cobra.Command {
	cmd := c.onTrigger("test NAME", "Say what a trigger would do now; nothing is stored",
		func(ctx context.Context, api *client.Client, name string) error {
			return c.preview(api.TestTrigger(ctx, name))
		})
	cmd.Long = `Say what a trigger would do now: what would fire, with the inputs of its dispatch, what
is not ready yet and why, what is left out and by which rule, and when the clock is next.
Nothing is stored, and nothing runs.
`
	return cmd
}

const (
	shownKeys = 20 // of each section of a preview
	keyWidth  = 70 // of what a preview is about
)

// dryRun shows what a change would lead to, and says that it was not made.
func (c *cli) dryRun(a client.Answer[client.Preview], err error) error {
	if err = c.preview(a, err); err == nil && !c.json {
		fmt.Fprintln(c.stderr, "latticed: dry run: nothing was stored")
	}
	return err
}

// preview shows an answer of a dry run.
func (c *cli) preview(a client.Answer[client.Preview], err error) error {
	if err != nil || c.json {
		return c.orRaw(err, a.Raw)
	}
	return c.showPreview(a.Value)
}

func (c *cli) showPreview(p client.Preview) error {
	fires, settles := "would fire", "settling"
	if p.AsIfNew {
		fires, settles = "would fire if they came now", "would settle if they came now"
	}
	zone := text(p.Timezone)
	sections := []section{
		{fires, wouldFire(p.WouldFire), p.Counts.WouldFire},
		{settles, settling(p.Settling), p.Counts.Settling},
		{"ignored", ignored(p.Ignored), p.Counts.Ignored},
		{strings.TrimSpace("next " + zone), upcoming(p.Next, zone, time.Local), 0},
		{"would be caught up", catchUp(p.CatchUp), 0},
	}
	shown := 0
	for _, s := range sections {
		if len(s.rows) == 0 && s.count == 0 {
			continue
		}
		if shown++; shown > 1 {
			fmt.Fprintln(c.stdout)
		}
		if err := c.showSection(s); err != nil {
			return err
		}
	}
	if shown == 0 {
		fmt.Fprintln(c.stdout, "nothing would fire now")
	}
	c.warn(p.Warnings)
	return nil
}

// section is a part of a preview. A count of 0 is not shown.
type section struct {
	title string
	rows  [][]string
	count int
}

func (c *cli) showSection(s section) error {
	title := s.title
	if s.count > 0 {
		title += fmt.Sprintf(" (%d)", s.count)
	}
	fmt.Fprintln(c.stdout, title)
	rows := s.rows[:min(len(s.rows), shownKeys)]
	for i := range rows {
		rows[i][0] = "  " + cut(rows[i][0], keyWidth)
	}
	if err := c.table(nil, rows); err != nil {
		return err
	}
	if more := max(s.count, len(s.rows)) - len(rows); more > 0 {
		fmt.Fprintf(c.stdout, "  … and %d more\n", more)
	}
	return nil
}

func wouldFire(all []client.WouldFire) [][]string {
	rows := make([][]string, len(all))
	for i, w := range all {
		what, kind := ofKey(w.Key)
		rows[i] = []string{what, kind, pairs(w.Inputs, listWidth, nil)}
		if w.Dispatches > 1 {
			rows[i][2] += fmt.Sprintf(", the first of %d dispatches", w.Dispatches)
		}
	}
	return rows
}

var pathKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s)^(/.*)#([a-z]+)@[^#]*$`) })

// ofKey takes the path of a file and what happened to it out of the key of an event,
// which has its version as well.
func ofKey(key string) (what, kind string) {
	if m := pathKey().FindStringSubmatch(key); m != nil {
		return m[1], m[2]
	}
	return key, ""
}

func settling(all []client.Settling) [][]string {
	rows := make([][]string, len(all))
	for i, s := range all {
		until := "-"
		if !s.Until.IsZero() {
			until = "until " + at(s.Until)
		}
		what, why := about(s.Key, s.Why)
		rows[i] = []string{what, until, why}
	}
	return rows
}

func ignored(all []client.Ignored) [][]string {
	rows := make([][]string, len(all))
	for i, s := range all {
		what, reason := about(s.Key, s.Reason)
		rows[i] = []string{what, reason}
	}
	return rows
}

// about shows the key of a file or of an event. That it is ready goes without saying.
func about(key, reason string) (string, string) {
	what, kind := ofKey(key)
	if kind != "" && kind != "ready" {
		reason = kind + ": " + reason
	}
	return what, reason
}

// upcoming are the next ones by the clock of the trigger's zone, and by the reader's
// where that shows something else. Many schedules go by the day of the week.
func upcoming(all []time.Time, zone string, readers *time.Location) [][]string {
	const layout = "Mon 2006-01-02 15:04:05"
	there, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		there = readers
	}
	rows := make([][]string, len(all))
	for i, t := range all {
		rows[i] = []string{t.In(there).Format(layout + " MST")}
		if here := t.In(readers); here.Format(layout) != t.In(there).Format(layout) {
			rows[i] = append(rows[i], "here "+here.Format(layout+" MST"))
		}
	}
	return rows
}

func catchUp(u *client.CatchUp) [][]string {
	if u == nil || u.Missed == 0 {
		return nil
	}
	since := ""
	if !u.Since.IsZero() {
		since = " since " + at(u.Since)
	}
	return [][]string{{fmt.Sprintf("%d of %d missed%s", u.WouldRun, u.Missed, since)}}
}
