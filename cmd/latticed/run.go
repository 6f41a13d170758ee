package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/executors/local/runner"
)

func newRun(c *cli) *cobra.Command {
	var inputs []string
	var out string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "run FILE [-i key=value]… [-o DIR]",
		Short: "Run a lattice without a daemon and print its result",
		Args:  exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			log := zerolog.Nop()
			if verbose {
				var err error
				if log, err = newLog(c.stderr, "info"); err != nil {
					return err
				}
			}
			if info, err := os.Stat(out); err == nil && !info.IsDir() {
				return usagef("-o %s: it is not a folder", out)
			}
			return c.runOnce(cmd.Context(), args[0], inputs, out, log)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "keep the output files in this folder, as ELECTRON/NAME")
	cmd.Flags().StringArrayVarP(&inputs, "input", "i", nil, "an input: key=value, key:=JSON or key=@FILE (repeatable)")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what happens")
	return cmd
}

// runOnce is a daemon for one dispatch, on a state directory that is removed
// afterwards.
func (c *cli) runOnce(ctx context.Context, file string, inputs []string, out string, log zerolog.Logger) (err error) {
	// What is wrong with the file or the inputs is said before anything is made.
	p, err := c.readLattice(ctx, file, nil)
	if err != nil {
		return err
	}
	values, err := readInputs(inputs, p.lattice.Inputs)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "latticed-run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	doors, err := os.MkdirTemp(doorsDir(), "latticed-run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(doors)) }()
	var cfg Config
	cfg.Paths.StateDir, cfg.Paths.Socket = filepath.Join(dir, "state"), filepath.Join(doors, socketName)
	cfg.Limits.MinFree = 0 // somebody waits for it: better to try
	d := &daemon{log: log, failed: make(chan error, 8)}
	defer func() { err = errors.Join(err, d.stop()) }()
	limits := runner.Options{RuntimeDir: doors, Idle: time.Millisecond}
	if err := d.open(ctx, cfg, log, limits); err != nil {
		return err
	}
	if err := d.begin(ctx); err != nil {
		return err
	}
	api := client.New(cfg.Paths.Socket)
	defer api.Close()
	if len(p.document) > inlineAll {
		if p, err = c.readLattice(ctx, file, uploader(api)); err != nil {
			return err
		}
	}
	a, err := api.CreateDispatch(ctx, client.NewDispatch{Lattice: p.document, Inputs: values})
	if err != nil {
		return err
	}
	c.warn(a.Value.Warnings)
	return c.finishRun(ctx, api, a.Value.ID, out)
}

// doorsDir is where the sockets of a run may be: their paths have to be short.
func doorsDir() string {
	const room = 60
	if d := os.TempDir(); len(d) <= room {
		return d
	}
	return "/tmp"
}

// cancelLimit is how long an interrupted run waits for its processes to end.
const cancelLimit = 30 * time.Second

// finishRun waits for the end and keeps the output files; interrupted, it leaves
// nothing running.
func (c *cli) finishRun(ctx context.Context, api *client.Client, id, out string) error {
	a, err := api.Wait(ctx, id)
	if ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelLimit)
		defer cancel()
		if _, err := api.CancelDispatch(last, id); err != nil {
			return err
		}
		if _, err := api.Wait(last, id); err != nil {
			return fmt.Errorf("interrupted, and not all of it could be ended: %w", err)
		}
		return errFailed
	}
	if err != nil {
		return err
	}
	if c.json {
		err = c.raw(a.Raw)
	} else {
		c.gone = true // what the directories hold is about to be removed
		err = c.ended(ctx, api, a.Value)
	}
	if err == nil {
		err = c.keepOutputs(ctx, api, id, out)
	}
	if err == nil && a.Value.Status != "completed" {
		return errFailed
	}
	return err
}
