package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/latticed/latticed/api/client"
)

// show says what was done, or would be.
func (a *apply) show() error {
	switch {
	case a.json:
		return json.NewEncoder(a.stdout).Encode(map[string]any{"triggers": a.done})
	case a.dry:
		return a.showDry()
	}
	rows := make([][]string, len(a.done))
	for i, d := range a.done {
		rows[i] = []string{"trigger " + d.Name, d.Result, d.state}
	}
	var b bytes.Buffer
	if err := (&cli{stdout: &b}).table(nil, rows); err != nil {
		return err
	}
	i := 0
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(a.stdout, line)
		if reason := a.done[i].reason; reason != "" {
			if err := a.table(nil, a.wrapped([][]string{{"  " + keyReason, reason}})); err != nil {
				return err
			}
		}
		i++
	}
	return nil
}

func (a *apply) showDry() error {
	for _, d := range a.done {
		if d.Result == "unchanged" {
			fmt.Fprintf(a.stdout, "trigger %s would stay as it is\n", d.Name)
			continue
		}
		fmt.Fprintf(a.stdout, "trigger %s would be %s\n", d.Name, d.Result)
		if d.Preview == nil {
			continue
		}
		var b bytes.Buffer
		p := d.preview
		p.Warnings = nil
		if err := (&cli{stdout: &b}).showPreview(p); err != nil {
			return err
		}
		for line := range strings.Lines(b.String()) {
			fmt.Fprint(a.stdout, strings.TrimRight("  "+line, " "))
		}
		a.warnAbout(d.Name, d.preview.Warnings)
	}
	fmt.Fprintln(a.stderr, "latticed: dry run: nothing was stored")
	return nil
}

// warnAbout names the trigger that warnings are about.
func (c *cli) warnAbout(name string, ws []client.Warning) {
	for _, w := range ws {
		c.warn([]client.Warning{{Code: w.Code, Message: name + ": " + w.Message}})
	}
}
