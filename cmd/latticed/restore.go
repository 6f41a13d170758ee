package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/store"
)

func newRestore(c *cli) *cobra.Command {
	var to string
	var only bool
	cmd := &cobra.Command{
		Use:   "restore DIR --state-dir NEW | DIR --verify",
		Short: "Verify a backup, and make a new state directory of it",
		Long: `Read the whole backup in DIR: that each file is as it was, that the database is sound and
that all it names is there. Then make the state directory NEW of it. The daemon that is
started there is held: it starts nothing until latticed hold --end. It must not run beside
the one the backup is of.
`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case only && to != "":
				return usagef("--verify restores nothing: leave out --state-dir, or --verify (restoring verifies, too)")
			case !only && to == "":
				return usagef("--state-dir is missing: name the new state directory, or give --verify")
			}
			return c.restore(cmd.Context(), args[0], to)
		},
	}
	cmd.Flags().StringVar(&to, "state-dir", "", "the new state directory; it must be empty, or not there")
	cmd.Flags().BoolVar(&only, "verify", false, "only read the backup and say whether it is whole")
	return cmd
}

func (c *cli) restore(ctx context.Context, from, to string) error {
	var v *store.Verified
	var err error
	if to == "" {
		v, err = store.Verify(ctx, from)
	} else {
		v, err = store.Restore(ctx, from, to)
	}
	var full *store.NotEmptyError
	if errors.As(err, &full) {
		return usagef("%v", full)
	}
	if err != nil {
		return err
	}
	if c.json {
		return c.indented(verdict(from, v))
	}
	fmt.Fprintf(c.stdout, "%s is whole: %s, %s, %s (%d would go on), %s, as of %s\n", from, count(len(v.Manifest.Files), "file"),
		bytesText(v.Bytes), count(int(v.Dispatches), "dispatch"), v.Pending, count(int(v.Triggers), "trigger"), v.Manifest.CreatedAt.UTC().Format("2006-01-02 15:04:05 UTC"))
	if to != "" {
		fmt.Fprintf(c.stdout, "restored to %s. It is held at first:\n  latticed serve --state-dir %s\n  latticed hold          what would happen\n  latticed hold --end    let it go on\n", to, to)
	}
	return nil
}
