package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// filterFlags are the filters of dispatches that list and table share.
type filterFlags struct {
	status, labels, inputs []string
	since, until           string
	words                  map[string]*string
}

// listFilters are the filters of the route that take a word, in the order of --help.
func listFilters() [][2]string {
	return [][2]string{
		{"lattice", "id or name of the lattice"},
		{"trigger", "id or name of the trigger"},
		{"owner", "whose"},
		{"q", "text in the note, the lattice's name or a label"},
		{"parent", "redispatched from this one"},
		{"root", "also sublattices, of this one"},
	}
}

func (ff *filterFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&ff.status, "status", nil, "new, pending, running, completed, failed, cancelled (repeatable, or with commas)")
	f.StringArrayVar(&ff.labels, "label", nil, "key=value (repeatable: all hold)")
	f.StringArrayVarP(&ff.inputs, "input", "i", nil, "an effective input key=value (repeatable: all hold)")
	f.StringVar(&ff.since, "since", "", "created at or after: an instant, or a duration ago such as 2h")
	f.StringVar(&ff.until, "until", "", "created before: an instant, or a duration ago")
	ff.words = map[string]*string{}
	for _, filter := range listFilters() {
		ff.words[filter[0]] = f.String(filter[0], "", filter[1])
	}
}

// query is what was given as the parameters of the route.
func (ff *filterFlags) query() (url.Values, error) {
	q := url.Values{}
	for name, list := range map[string][]string{"status": ff.status, "label": ff.labels} {
		if len(list) > 0 {
			q[name] = list
		}
	}
	for name, v := range ff.words {
		if *v != "" {
			q.Set(name, *v)
		}
	}
	if err := addInputs(q, ff.inputs); err != nil {
		return nil, err
	}
	for name, v := range map[string]string{"since": ff.since, "until": ff.until} {
		if err := addInstant(q, name, v); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// tellUnknown says of filters that have found nothing which name there is not: most are
// misspelt.
func (c *cli) tellUnknown(ctx context.Context, api *client.Client, lattice, trigger string) {
	var unknown *client.Refused
	if lattice != "" {
		if _, err := api.Lattice(ctx, lattice); errors.As(err, &unknown) {
			c.complain("warning: " + unknown.Error())
		}
	}
	if trigger != "" {
		if _, err := api.Trigger(ctx, trigger, false); errors.As(err, &unknown) {
			c.complain("warning: " + unknown.Error())
		}
	}
}

// tellFollowed says which of the names that a trigger is to follow there is not, but for
// its own: they may come later, but most are misspelt, and then nothing ever happens.
func (c *cli) tellFollowed(ctx context.Context, api *client.Client, name string, spec map[string]any) {
	of, _ := spec["of"].(map[string]any)
	lattice, _ := of["lattice"].(string)
	trigger, _ := of["trigger"].(string)
	if trigger == name {
		trigger = ""
	}
	c.tellUnknown(ctx, api, lattice, trigger)
}

// triggerKinds are those that a daemon of this version has.
func triggerKinds() []string {
	return []string{"database", "directory", "dispatch", "sqlite", "time", "webhook"}
}

// tellKind says of a kind by which no trigger was found that there is none such.
func (c *cli) tellKind(kind string) {
	if kind == "" || slices.Contains(triggerKinds(), kind) {
		return
	}
	said := fmt.Sprintf("warning: no trigger is of a kind %q", kind)
	if near := graph.Suggest(kind, triggerKinds()); near != "" {
		said += fmt.Sprintf("; did you mean %q?", near)
	} else {
		said += "; kinds are " + strings.Join(triggerKinds(), ", ")
	}
	c.complain(said)
}
