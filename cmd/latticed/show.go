package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a dispatch and its electrons",
		Args:  exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			a, err := api.Dispatch(cmd.Context(), args[0], 0)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			return c.show(cmd.Context(), api, a.Value)
		},
	}
}

const shownWidth = 200 // of a value in show

func (c *cli) show(ctx context.Context, api *client.Client, d client.Dispatch) error {
	rows := [][]string{
		{"dispatch", fmt.Sprintf("%d  %s", d.Number, d.ID)},
		{"lattice", d.Lattice.Name + "  " + d.Lattice.ID[:min(12, len(d.Lattice.ID))]},
		{"status", state(d.Status, d.Reason, d.Waiting)},
		{"created", at(d.CreatedAt) + " by " + d.CreatedBy},
	}
	add := func(name, v string) {
		if v != "" && v != "-" {
			rows = append(rows, []string{name, v})
		}
	}
	add("started", at(d.StartedAt))
	if !d.StartedAt.IsZero() {
		add("took", took(d.StartedAt, d.EndedAt))
	}
	if !d.CancelRequestedAt.IsZero() {
		add("cancel asked", at(d.CancelRequestedAt))
	}
	add("trigger", text(d.Trigger))
	add("parent", text(d.ParentID))
	if d.Keep {
		add("kept", "until latticed keep --off")
	}
	add("note", d.Note)
	for _, k := range sortedKeys(d.Labels) {
		add("label", k+"="+d.Labels[k])
	}
	add("inputs", pairs(d.Inputs, shownWidth, nil))
	if d.Status == "completed" {
		add("result", short(d.Result, shownWidth))
	}
	if err := c.table(nil, rows); err != nil {
		return err
	}
	if err := c.showElectrons(d); err != nil {
		return err
	}
	return c.showFailures(ctx, api, d)
}

func (c *cli) showElectrons(d client.Dispatch) error {
	fmt.Fprintln(c.stdout)
	rows := [][]string{}
	head := []string{"ELECTRON", "STATUS", "EXECUTOR", "ATTEMPTS", "TOOK", "FILES"}
	reuses := slices.ContainsFunc(d.Electrons, func(e client.Electron) bool { return text(e.Reuse) != "" })
	if reuses {
		head = append(head, "REUSE")
	}
	for _, e := range d.Electrons {
		status := state(e.Status, e.Reason, e.Waiting)
		if e.Waiting != nil && d.Waiting != nil && e.Waiting.Code == d.Waiting.Code && e.Waiting.Detail == d.Waiting.Detail { // said above
			status = brief(e.Status, e.Reason, e.Waiting)
		}
		row := []string{
			e.Name, status, dash(e.Executor), strconv.Itoa(len(e.Attempts)),
			took(e.StartedAt, e.EndedAt), files(e),
		}
		if reuses {
			row = append(row, reuse(e))
		}
		rows = append(rows, row)
	}
	if err := c.table(head, rows); err != nil {
		return err
	}
	n := d.Counts
	if all := n.Pending + n.Running + n.Completed + n.Failed + n.Cancelled + n.Skipped; all > len(d.Electrons) {
		fmt.Fprintf(c.stdout, "… and %d more electrons\n", all-len(d.Electrons))
	}
	return nil
}

// reuse says why an electron was reused or run.
func reuse(e client.Electron) string {
	switch why := text(e.Reuse); {
	case why == "":
		return "-"
	case text(e.ReusedFrom) != "":
		return "reused: " + printable(why)
	default:
		return "run: " + printable(why)
	}
}

func files(e client.Electron) string {
	parts := make([]string, 0, len(e.Files))
	for _, name := range sortedKeys(e.Files) {
		parts = append(parts, fmt.Sprintf("%s (%s)", name, bytesOf(e.Files[name].Size)))
	}
	return dash(strings.Join(parts, ", "))
}

// ended shows how a dispatch ended: its result, or why there is none.
func (c *cli) ended(ctx context.Context, api *client.Client, d client.Dispatch) error {
	if d.Status == "completed" {
		return c.indented(d.Result)
	}
	fmt.Fprintf(c.stderr, "dispatch %d %s\n", d.Number, state(d.Status, d.Reason, d.Waiting))
	out := c.stdout
	defer func() { c.stdout = out }()
	c.stdout = c.stderr // the result's place stays empty
	return c.showFailures(ctx, api, d)
}

const shownFailures = 3

// showFailures tells of each failed electron what a person asks next.
func (c *cli) showFailures(ctx context.Context, api *client.Client, d client.Dispatch) error {
	shown := 0
	for _, e := range d.Electrons {
		if e.Status != "failed" {
			continue
		}
		if shown++; shown > shownFailures {
			fmt.Fprintf(c.stdout, "\n… and %s more\n", count(d.Counts.Failed-shownFailures, "failed electron"))
			break
		}
		c.showFailure(ctx, api, d, e)
	}
	if shown == 0 && d.Error != nil && d.Error.Code != d.Status {
		fmt.Fprintf(c.stdout, "\n%s: %s\n", d.Error.Code, printable(d.Error.Message))
	}
	if d.Status == "failed" && !c.gone {
		fmt.Fprintf(c.stdout, "\nrun it again: latticed redispatch %d\n", d.Number)
	}
	return nil
}

func (c *cli) showFailure(ctx context.Context, api *client.Client, d client.Dispatch, e client.Electron) {
	fmt.Fprintf(c.stdout, "\nelectron %s failed: %s\n", e.Name, why(e))
	if tail := stderrTail(ctx, api, d.ID, e.Name); tail != "" {
		fmt.Fprintf(c.stdout, "  last lines of stderr:\n%s", tail)
	}
	if n := len(e.Attempts); n > 0 {
		for _, note := range e.Attempts[n-1].Notes {
			fmt.Fprintf(c.stdout, "  note: %s\n", printable(note))
		}
		if c.gone {
			return
		}
		if dir := text(e.Attempts[n-1].WorkDir); dir != "" {
			fmt.Fprintf(c.stdout, "  kept directory: %s\n", printable(dir))
		}
		fmt.Fprintf(c.stdout, "  all of it: latticed logs %d %s --stderr\n", d.Number, e.Name)
	}
}

// why says how an electron failed.
func why(e client.Electron) string {
	said := ""
	if e.Error != nil {
		said = e.Error.Code + ": " + printable(e.Error.Message)
	}
	if n := len(e.Attempts); n > 0 {
		plain := e.Error == nil || e.Error.Code == "exit_code" || e.Error.Code == "signal"
		switch a := e.Attempts[n-1]; {
		case text(a.Signal) != "" && plain:
			said = "ended by " + *a.Signal
		case text(a.Signal) != "":
			said += ", ended by " + *a.Signal
		case a.ExitCode != nil && *a.ExitCode != 0 && plain:
			said = fmt.Sprintf("exit code %d", *a.ExitCode)
		case a.ExitCode != nil && *a.ExitCode != 0:
			said += fmt.Sprintf(", exit code %d", *a.ExitCode)
		}
		if n > 1 {
			said += fmt.Sprintf(" (attempt %d)", n)
		}
	}
	return dash(said)
}

const tailLines = 20

func stderrTail(ctx context.Context, api *client.Client, id, electron string) string {
	body, err := api.Log(ctx, id, electron, "stderr", url.Values{"tail": {strconv.Itoa(tailLines)}})
	if err != nil {
		return ""
	}
	defer func() { _ = body.Close() }()
	const most = 64 << 10
	raw, err := io.ReadAll(io.LimitReader(body, most))
	if err != nil || len(raw) == 0 {
		return ""
	}
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(string(raw), "\n"), "\n") {
		b.WriteString("  | " + printable(line) + "\n")
	}
	return b.String()
}
