package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeLimit is how long somebody who presses tab waits for the daemon.
const completeLimit = 2 * time.Second

// triggerNames completes the names of triggers, up to so many arguments; 0: any number.
func (c *cli) triggerNames(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const nothing = cobra.ShellCompDirectiveNoFileComp
		if most > 0 && len(args) >= most {
			return nil, nothing
		}
		api, err := c.connect()
		if err != nil {
			return nil, nothing // the command itself says why
		}
		defer api.Close()
		ctx, cancel := context.WithTimeout(cmd.Context(), completeLimit)
		defer cancel()
		all, err := allTriggers(ctx, api)
		if err != nil {
			return nil, nothing
		}
		var names []cobra.Completion
		for _, t := range all {
			if strings.HasPrefix(t.Value.Name, word) {
				names = append(names, cobra.CompletionWithDesc(t.Value.Name, t.Value.Kind+", "+t.Value.State))
			}
		}
		return names, nothing
	}
}
