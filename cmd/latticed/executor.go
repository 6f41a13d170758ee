package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newExecutor(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "executor",
		Short: "Where electrons run",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExecutorList(c), newExecutorCheck(c))
	return cmd
}

func newExecutorList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the executors",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			a, err := api.Executors(cmd.Context())
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			rows := [][]string{}
			for _, e := range a.Value.Items {
				rows = append(rows, []string{e.Name, e.Kind})
			}
			return c.table([]string{"NAME", "KIND"}, rows)
		},
	}
}

func newExecutorCheck(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "check [NAME]",
		Short: "Tell whether executors would work now",
		Args:  atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			names := args
			if len(names) == 0 {
				all, err := api.Executors(cmd.Context())
				if err != nil {
					return err
				}
				for _, e := range all.Value.Items {
					names = append(names, e.Name)
				}
			}
			var found []client.ExecutorCheck
			for _, name := range names {
				a, err := api.CheckExecutor(cmd.Context(), name)
				if err != nil {
					return err
				}
				found = append(found, a.Value)
			}
			return c.showChecks(found)
		},
	}
}

func (c *cli) showChecks(found []client.ExecutorCheck) error {
	var bad error
	rows := [][]string{}
	for _, e := range found {
		said := "ok"
		if !e.Ok {
			said = text(e.Error)
			bad = fmt.Errorf("executor %s does not work: %s", e.Name, said)
		}
		rows = append(rows, []string{e.Name, said})
	}
	if c.json {
		if err := c.indented(found); err != nil {
			return err
		}
		return bad
	}
	if err := c.table(nil, rows); err != nil {
		return err
	}
	return bad
}
