package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// runFlags are what dispatch and redispatch share.
type runFlags struct {
	inputs  []string
	labels  []string
	note    string
	wait    bool
	disable bool
}

func (f *runFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.inputs, "input", "i", nil, "an input: key=value, key:=JSON or key=@FILE (repeatable)")
	cmd.Flags().StringArrayVar(&f.labels, "label", nil, "a label key=value (repeatable)")
	cmd.Flags().StringVar(&f.note, "note", "", "a note")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait for the end; the exit status says whether it completed")
	cmd.Flags().BoolVar(&f.disable, "disable-run", false, "make it, to be started later")
}

func newDispatch(c *cli) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "dispatch FILE|NAME|ID",
		Short: "Run a lattice: a file, or a stored one by name or id",
		Args:  exactly("FILE|NAME|ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			d, err := c.newDispatch(cmd.Context(), api, args[0], f)
			if err != nil {
				return err
			}
			a, err := api.CreateDispatch(cmd.Context(), d)
			if err != nil {
				return c.blame(args[0], err)
			}
			return c.begun(cmd.Context(), api, a, f.wait)
		},
	}
	f.add(cmd)
	return cmd
}

// newDispatch makes the request: the lattice of a file is packed into it.
func (c *cli) newDispatch(ctx context.Context, api *client.Client, what string, f runFlags) (client.NewDispatch, error) {
	d := client.NewDispatch{Note: f.note, DisableRun: f.disable}
	var l *graph.Lattice
	if isFile(what) {
		p, err := c.readLattice(ctx, what, uploader(api))
		if err != nil {
			return d, err
		}
		l, d.Lattice = p.lattice, p.document
	} else {
		d.Lattice, _ = json.Marshal(what)
		if len(f.inputs) > 0 {
			var err error
			if l, err = fetchLattice(ctx, api, what); err != nil {
				return d, err
			}
		}
	}
	var err error
	if l != nil {
		if d.Inputs, err = readInputs(f.inputs, l.Inputs); err != nil {
			return d, err
		}
	}
	d.Labels, err = readPairs("label", f.labels)
	return d, err
}

// isFile tells a lattice file from the name or id of a stored lattice.
func isFile(what string) bool {
	if what == "-" || strings.ContainsRune(what, os.PathSeparator) {
		return true
	}
	for _, ext := range []string{".yaml", ".yml", ".json"} {
		if strings.HasSuffix(what, ext) {
			return true
		}
	}
	return false
}

func uploader(api *client.Client) upload {
	return func(ctx context.Context, r io.Reader) (string, error) {
		a, err := api.PutAsset(ctx, r)
		return a.Value.Sha256, err
	}
}

func fetchLattice(ctx context.Context, api *client.Client, nameOrID string) (*graph.Lattice, error) {
	a, err := api.Lattice(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	return graph.Load(a.Value.Document)
}

// blame puts the file's name before what the daemon found in a lattice from it.
func (c *cli) blame(what string, err error) error {
	var no *client.Refused
	if !errors.As(err, &no) {
		return err
	}
	if no.Code == "not_found" && !isFile(what) && exists(what) {
		return fmt.Errorf("%w; to run the file of this name, write ./%s", err, what)
	}
	return err
}

// begun shows an accepted dispatch, and waits for its end when asked.
func (c *cli) begun(ctx context.Context, api *client.Client, a client.Answer[client.Dispatch], wait bool) error {
	c.warn(a.Value.Warnings)
	if wait {
		if c.progress() {
			fmt.Fprintf(c.stderr, "dispatch %d (%s) …\n", a.Value.Number, a.Value.ID)
		}
		return c.await(ctx, api, a.Value.ID)
	}
	if c.json {
		return c.raw(a.Raw)
	}
	d := a.Value
	_, err := fmt.Fprintf(c.stdout, "dispatch %d  %s  %s\n", d.Number, d.ID, d.Status)
	return err
}

// await waits for the end of a dispatch and shows how it ended.
func (c *cli) await(ctx context.Context, api *client.Client, id string) error {
	a, err := api.Wait(ctx, id)
	if err != nil {
		return err
	}
	if c.json {
		err = c.raw(a.Raw)
	} else {
		err = c.ended(ctx, api, a.Value)
	}
	if err == nil && a.Value.Status != "completed" {
		return errFailed
	}
	return err
}
