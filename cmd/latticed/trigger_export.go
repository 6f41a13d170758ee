package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/latticed/latticed/api/client"
)

func newTriggerExport(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "export [NAME…]",
		Short: "Print triggers as YAML that trigger apply takes back",
		Long: `Print triggers, all or those named, as YAML, or as JSON with --json. Each is printed as
it was registered and edited, without defaults; trigger show --effective prints those.
Applying the output changes nothing.
`,
		ValidArgsFunction: c.triggerNames(0),
		RunE: func(cmd *cobra.Command, names []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			all, err := c.toExport(cmd.Context(), api, names)
			if err != nil {
				return err
			}
			specs := make([]map[string]any, len(all))
			for i, t := range all {
				if specs[i], err = asSpec(t.Raw); err != nil {
					return fmt.Errorf("trigger %s: %w", t.Value.Name, err)
				}
			}
			if c.json {
				return c.indented(map[string]any{"triggers": specs})
			}
			text, err := exported(specs)
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(text)
			return err
		},
	}
}

func (c *cli) toExport(ctx context.Context, api *client.Client, names []string) ([]client.Answer[client.Trigger], error) {
	if len(names) == 0 {
		return allTriggers(ctx, api)
	}
	var all []client.Answer[client.Trigger]
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		t, err := api.Trigger(ctx, name, false)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

const allPage = 500 // triggers that are asked for at a time

// allTriggers lists every trigger, by name.
func allTriggers(ctx context.Context, api *client.Client) ([]client.Answer[client.Trigger], error) {
	var all []client.Answer[client.Trigger]
	for after := ""; ; {
		a, err := api.Triggers(ctx, page(allPage, after))
		if err != nil {
			return nil, err
		}
		var raw struct{ Items []json.RawMessage }
		if err := json.Unmarshal(a.Raw, &raw); err != nil {
			return nil, err
		}
		for i, t := range a.Value.Items {
			all = append(all, client.Answer[client.Trigger]{Value: t, Raw: raw.Items[i]})
		}
		if after = text(a.Value.Next); after == "" {
			return all, nil
		}
	}
}

// exported writes specs as YAML, the fields in the order in which people think of them.
func exported(specs []map[string]any) ([]byte, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, spec := range specs {
		n, err := inOrder(spec)
		if err != nil {
			return nil, err
		}
		list.Content = append(list.Content, n)
	}
	if len(specs) == 0 {
		list.Style = yaml.FlowStyle
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar("triggers"), list}})
	if err == nil {
		err = enc.Close()
	}
	return b.Bytes(), err
}

func inOrder(spec map[string]any) (*yaml.Node, error) {
	order := []string{"name", "kind", "dispatch_id", "lattice", "inputs", "labels"}
	for _, fd := range triggerFields() {
		order = append(order, fd.name)
	}
	for _, name := range sortedKeys(spec) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range order {
		v, there := spec[name]
		if !there {
			continue
		}
		var value yaml.Node
		if err := value.Encode(inQuotes(v)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		n.Content = append(n.Content, scalar(name), &value)
	}
	return n, nil
}

func scalar(s string) *yaml.Node {
	var n yaml.Node
	n.SetString(s)
	return &n
}

// quotedText is text that is written in quotes.
type quotedText string

// MarshalYAML implements yaml.Marshaler.
func (q quotedText) MarshalYAML() (any, error) { //nolint:unparam // of the interface
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: string(q)}, nil
}

// inQuotes is a value with quotes around texts of several lines that begin with white
// space: the encoder writes those as blocks that not even it can read everywhere.
func inQuotes(v any) any {
	switch v := v.(type) {
	case string:
		if first, _ := utf8.DecodeRuneInString(v); unicode.IsSpace(first) && strings.Contains(v, "\n") && utf8.ValidString(v) {
			return quotedText(v)
		}
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = inQuotes(v[i])
		}
		return items
	case map[string]any:
		all := make(map[any]any, len(v))
		for name := range v {
			all[inQuotes(name)] = inQuotes(v[name])
		}
		return all
	}
	return v
}
