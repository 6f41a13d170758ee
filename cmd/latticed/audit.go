package main

import (
	"strconv"

	"github.com/spf13/cobra"
)

func newAudit(c *cli) *cobra.Command {
	var principal, object, since, until, after string
	var actions []string
	var limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List who changed what, newest first",
		Long: `List who changed what, newest first. Dispatches, redispatches, uploads and deliveries are
not in it: each says itself who made it. ACTION is the command that does it, whoever asked for
it; --json names the operation of the API.
`,
		Example: `  latticed audit --principal token:laptop --since 7d
  latticed audit --action "trigger pause" --action rm
  latticed audit --action trigger --object scans`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := page(limit, after)
			for name, v := range map[string]string{"principal": principal, "object": object} {
				if v != "" {
					q.Set(name, v)
				}
			}
			for _, said := range actions {
				operations, err := operationsOf(said)
				if err != nil {
					return err
				}
				q["action"] = append(q["action"], operations...)
			}
			for name, v := range map[string]string{"since": since, "until": until} {
				if err := addInstant(q, name, v); err != nil {
					return err
				}
			}
			api, err := c.connect()
			if err != nil {
				return err
			}
			a, err := api.Audit(cmd.Context(), q)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			rows := [][]string{}
			for _, e := range a.Value.Items {
				door := e.Via
				if e.Remote != "" {
					door += " " + e.Remote
				}
				rows = append(rows, []string{at(e.At), e.Principal, door, did(e.Action), dash(e.Object), strconv.Itoa(e.Status)})
			}
			if err := c.table([]string{"AT", "WHO", "DOOR", "ACTION", "OBJECT", "STATUS"}, rows); err != nil {
				return err
			}
			return c.more(a.Value.Next)
		},
	}
	f := cmd.Flags()
	f.StringVar(&principal, "principal", "", "only what this user, or token:NAME, did")
	f.StringSliceVar(&actions, "action", nil, "only this, such as \"trigger pause\", or all of a group, such as trigger (repeatable, or with commas)")
	f.StringVar(&object, "object", "", "only what was done to this: a name, or the number of a dispatch")
	f.StringVar(&since, "since", "", "at or after: an instant, or a duration ago such as 2h")
	f.StringVar(&until, "until", "", "before: an instant, or a duration ago")
	addPage(cmd, &limit, &after)
	return cmd
}
