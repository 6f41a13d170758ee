package main

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newKeep(c *cli) *cobra.Command {
	var off bool
	cmd := c.each("keep ID…", "Keep dispatches when old history is removed",
		func(ctx context.Context, api *client.Client, id string) error {
			_, err := api.PatchDispatch(ctx, id, client.DispatchPatch{Keep: json.RawMessage(strconv.FormatBool(!off))})
			return err
		})
	cmd.Flags().BoolVar(&off, "off", false, "keep them no longer")
	return cmd
}
