package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/latticed/latticed/api/client"
)

// keepOutputs writes the output files of a dispatch into a folder, also of one that
// failed later on. Without a folder it tells that they are lost.
func (c *cli) keepOutputs(ctx context.Context, api *client.Client, id, dir string) error {
	n := 0
	for q := (url.Values{"limit": {"500"}}); ; {
		page, err := api.Electrons(ctx, id, q)
		if err != nil {
			return err
		}
		for _, e := range page.Value.Items {
			if n += len(e.Files); dir == "" {
				continue
			}
			if err := fetchFiles(ctx, api, id, e, dir); err != nil {
				return err
			}
		}
		if text(page.Value.Next) == "" {
			break
		}
		q.Set("after", *page.Value.Next)
	}
	if dir == "" && n > 0 && !c.json {
		fmt.Fprintf(c.stderr, "latticed: %s not kept; add -o DIR to keep what is in outputs\n", count(n, "output file"))
	}
	return nil
}

func fetchFiles(ctx context.Context, api *client.Client, id string, e client.Electron, dir string) error {
	for _, name := range sortedKeys(e.Files) {
		if err := os.MkdirAll(filepath.Join(dir, e.Name), 0o755); err != nil {
			return err
		}
		body, err := api.File(ctx, id, e.Name, name)
		if err != nil {
			return err
		}
		err = writeFile(filepath.Join(dir, e.Name, name), body)
		_ = body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
