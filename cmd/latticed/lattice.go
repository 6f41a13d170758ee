package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newLattice(c *cli) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "lattice NAME|ID [-d DIR]",
		Short: "Print the document of a stored lattice, or unpack it into a folder",
		Args:  exactly("NAME|ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			a, err := api.Lattice(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if dir != "" {
				return c.unpack(cmd.Context(), api, a.Value, dir)
			}
			if c.json {
				return c.raw(a.Raw)
			}
			return c.indented(a.Value.Document)
		},
	}
	cmd.Flags().StringVarP(&dir, "dir", "d", "", "write lattice.json and the packed files here")
	return cmd
}

// unpack writes what `store` packed: the files, and the document that includes them.
func (c *cli) unpack(ctx context.Context, api *client.Client, l client.Lattice, dir string) error {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(l.Document, &doc); err != nil {
		return fmt.Errorf("the lattice's document: %w", err)
	}
	var include map[string]json.RawMessage
	if raw, ok := doc["include"]; ok {
		if err := json.Unmarshal(raw, &include); err != nil {
			return fmt.Errorf("the lattice's include: %w", err)
		}
	}
	names := sortedKeys(include)
	for _, name := range names {
		if err := c.unpackFile(ctx, api, l.ID, name, dir); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		list, err := json.Marshal(names)
		if err != nil {
			return err
		}
		doc["include"] = list
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	file := filepath.Join(dir, "lattice.json")
	if err := refuseExisting(file); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeFile(file, &out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.stdout, "%s and %s\n", file, count(len(names), "file"))
	return err
}

func (c *cli) unpackFile(ctx context.Context, api *client.Client, id, name, dir string) error {
	if !filepath.IsLocal(name) {
		return fmt.Errorf("the lattice includes %q, which leaves the folder", name)
	}
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := refuseExisting(file); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	body, err := api.Include(ctx, id, name)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return writeFile(file, body)
}

// refuseExisting keeps people's files.
func refuseExisting(file string) error {
	if exists(file) {
		return fmt.Errorf("%s exists already; choose an empty folder", file)
	}
	return nil
}
