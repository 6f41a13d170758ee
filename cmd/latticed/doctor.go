package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api"
	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/store"
)

// errUnwell means that a check found something wrong; everything was said.
var errUnwell = fmt.Errorf("something is wrong: %w", errFailed)

func newDoctor(c *cli) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether everything the daemon lives on is well",
		Long: `Ask the daemon to look at its doors, clock, disk, limits, watched folders, permissions,
database, triggers and runner, and say what to do about what is wrong. When it can't be
reached, look at what can be seen from here. The exit status is 1 when something is wrong.
`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				var err error
				if dir, err = defaultStateDir(); err != nil {
					return usagef("%v", err)
				}
			}
			found, err := c.diagnose(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return c.showDoctor(found)
		},
	}
	cmd.Flags().StringVar(&dir, "state-dir", "", "where to look when the daemon can't be reached (default as for latticed serve)")
	return cmd
}

// diagnose asks the daemon, or looks from outside.
func (c *cli) diagnose(ctx context.Context, dir string) (client.Doctor, error) {
	api, err := c.connect()
	if err != nil {
		return client.Doctor{}, err
	}
	a, err := api.Doctor(ctx)
	var away *client.Unreachable
	if !errors.As(err, &away) {
		return a.Value, err
	}
	found := []client.Check{{Name: "doors", Verdict: "wrong", Detail: "the daemon can't be reached; what follows is seen from outside", Remedy: c.remedy(away)}}
	for _, check := range outside(dir) {
		found = append(found, client.Check(check))
	}
	return client.Doctor{Checks: found}, nil
}

// outside is what can be seen without the daemon.
func outside(dir string) []api.Check {
	found := []api.Check{checkClock()}
	if err := newLooks().all([]string{dir}, lookLimit)[dir].err; err != nil {
		return append(found, wrong("permissions", fmt.Sprintf("the state directory can't be looked at: %v", err),
			"name it with --state-dir, or look as the user the daemon runs as"))
	}
	if err := store.Restoring(dir); err != nil {
		return append(found, wrong("permissions", err.Error(), "no daemon starts there before"))
	}
	return append(found, checkDisk(dir, (&Limits{}).least), checkPermissions(dir), checkInotify(0, 0))
}

func (c *cli) showDoctor(d client.Doctor) error {
	if c.json {
		if err := c.indented(d); err != nil {
			return err
		}
	} else {
		rows := [][]string{}
		for _, k := range d.Checks {
			said := k.Detail
			if k.Remedy != "" {
				said += " → " + k.Remedy
			}
			rows = append(rows, []string{k.Verdict, k.Name, said})
		}
		if err := c.table(nil, rows); err != nil {
			return err
		}
	}
	if !d.Ok {
		return errUnwell
	}
	return nil
}
