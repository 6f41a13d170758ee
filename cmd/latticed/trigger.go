package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newTrigger(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trigger",
		Short: "Rules that run a lattice when something happens",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newTriggerAdd(c), newTriggerSet(c), newTriggerTest(c), newTriggerApply(c), newTriggerExport(c),
		newTriggerList(c), newTriggerShow(c), newTriggerEvents(c), newTriggerFirings(c),
		newTriggerPause(c), newTriggerResume(c), newTriggerFire(c), newTriggerRetry(c), newTriggerBackfill(c), newTriggerHook(c), newTriggerRm(c),
	)
	return cmd
}

// onTrigger makes a command that does something with one trigger.
func (c *cli) onTrigger(use, short string, do func(context.Context, *client.Client, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  exactly("NAME"),

		ValidArgsFunction: c.triggerNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			return do(cmd.Context(), api, args[0])
		},
	}
}

// changed shows a trigger after it was changed.
func (c *cli) changed(a client.Answer[client.Trigger], err error) error {
	if err != nil || c.json {
		return c.orRaw(err, a.Raw)
	}
	t := a.Value
	c.warn(t.Warnings)
	if text(t.Reason) == "" {
		_, err = fmt.Fprintf(c.stdout, "trigger %s  %s  %s\n", t.Name, t.Kind, t.State)
		return err
	}
	return c.table(nil, c.wrapped([][]string{{"trigger", t.Name + "  " + t.Kind + "  " + t.State}, {keyReason, here(*t.Reason)}}))
}

func newTriggerPause(c *cli) *cobra.Command {
	return c.onTrigger("pause NAME", "Hold the events of a trigger from now on",
		func(ctx context.Context, api *client.Client, name string) error {
			return c.changed(api.PauseTrigger(ctx, name))
		})
}

func newTriggerResume(c *cli) *cobra.Command {
	var backlog string
	cmd := c.onTrigger("resume NAME", "End a pause",
		func(ctx context.Context, api *client.Client, name string) error {
			return c.changed(api.ResumeTrigger(ctx, name, backlog))
		})
	cmd.Flags().StringVar(&backlog, "backlog", "", "what becomes of the events held meanwhile: fire or skip (required when there are any)")
	return cmd
}

func newTriggerRm(c *cli) *cobra.Command {
	cmd := c.each("rm NAME…", "Remove triggers; their history stays",
		func(ctx context.Context, api *client.Client, name string) error { return api.DeleteTrigger(ctx, name) })
	cmd.ValidArgsFunction = c.triggerNames(0)
	return cmd
}
