package main

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func newLattices(c *cli) *cobra.Command {
	var limit int
	var after string
	cmd := &cobra.Command{
		Use:   "lattices",
		Short: "List the stored lattices",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			a, err := api.Lattices(cmd.Context(), page(limit, after))
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			rows := [][]string{}
			for _, l := range a.Value.Items {
				rows = append(rows, []string{
					dash(strings.Join(l.Names, ", ")), l.ID[:min(12, len(l.ID))], strconv.Itoa(l.Electrons),
					l.Owner, at(l.CreatedAt), l.Description,
				})
			}
			if err := c.table([]string{"NAME", "ID", "ELECTRONS", "OWNER", "STORED", "DESCRIPTION"}, rows); err != nil {
				return err
			}
			return c.more(a.Value.Next)
		},
	}
	addPage(cmd, &limit, &after)
	return cmd
}

func addPage(cmd *cobra.Command, limit *int, after *string) {
	cmd.Flags().IntVar(limit, "limit", 0, "how many (default 50, at most 500)")
	cmd.Flags().StringVar(after, "after", "", "the next page: what the last one named")
}

func page(limit int, after string) url.Values {
	q := url.Values{}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	if after != "" {
		q.Set("after", after)
	}
	return q
}
