package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newEvents(c *cli) *cobra.Command {
	var follow bool
	var since string
	cmd := &cobra.Command{
		Use:   "events -f",
		Short: "Follow everything that changes",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !follow {
				return usagef("events shows what happens from now on: add -f")
			}
			if _, err := strconv.ParseUint(since, 10, 63); err != nil && since != "" {
				return usagef("--since %s: must be a sequence number", since)
			}
			api, err := c.connect()
			if err != nil {
				return err
			}
			return c.followChanges(cmd.Context(), api, since)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().StringVar(&since, "since", "", "begin after this sequence number")
	return cmd
}

const (
	awayPause = 500 * time.Millisecond
	awayFor   = time.Minute // how long the daemon may be away before we give up
)

// followChanges goes on over restarts of the daemon, from where it was.
func (c *cli) followChanges(ctx context.Context, api *client.Client, last string) error {
	var away time.Time
	for first := true; ; first = false {
		err := api.Changes(ctx, last, func(ch client.Change) error {
			last, away = ch.ID, time.Time{}
			return c.showChange(ch)
		})
		var gone *client.Unreachable
		var dial *net.OpError
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the user has seen enough
		case !errors.As(err, &gone), first && errors.As(err, &dial) && dial.Op == "dial":
			return err
		case away.IsZero():
			away = time.Now()
		case time.Since(away) > awayFor:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(awayPause):
		}
	}
}

func (c *cli) showChange(ch client.Change) error {
	if c.json {
		return json.NewEncoder(c.stdout).Encode(ch)
	}
	now := time.Now().Format("15:04:05")
	var err error
	switch ch.Kind {
	case "dispatch":
		var d client.Dispatch
		if err = json.Unmarshal(ch.Data, &d); err == nil {
			_, err = fmt.Fprintf(c.stdout, "%s  dispatch %d  %s  %s\n", now, d.Number, oneLine(d.Lattice.Name), state(d.Status, d.Reason, d.Waiting))
		}
	case "trigger":
		var t client.Trigger
		if err = json.Unmarshal(ch.Data, &t); err == nil {
			_, err = fmt.Fprintf(c.stdout, "%s  trigger %s  %s\n", now, oneLine(t.Name), state(t.State, t.Reason, nil))
		}
	case "event":
		var e client.Event
		if err = json.Unmarshal(ch.Data, &e); err == nil {
			_, err = fmt.Fprintf(c.stdout, "%s  event %s  %s  %s\n", now, oneLine(e.Kind), oneLine(e.Key), state(e.State, e.Reason, nil))
		}
	case "firing":
		var f client.Firing
		if err = json.Unmarshal(ch.Data, &f); err == nil {
			_, err = fmt.Fprintf(c.stdout, "%s  firing %s  %s\n", now, f.ID, state(f.Decision, f.Reason, nil))
		}
	default:
		_, err = fmt.Fprintf(c.stdout, "%s  %s\n", now, ch.Kind)
	}
	return err
}
