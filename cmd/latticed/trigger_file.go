package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// written is one trigger of a file.
type written struct {
	name string
	spec map[string]any
	at   graph.Value // where it stands
}

// readTriggers reads the triggers of a text: in a list `triggers`, or one a document.
// Paths are relative to dir. What is wrong is said with name, line and column.
func readTriggers(name, dir string, src []byte) ([]written, error) {
	docs, err := graph.DecodeDocuments(src)
	if err != nil {
		return nil, inFile(name, err)
	}
	var all []written
	var found graph.Invalid
	lines := map[string]int{}
	for _, v := range triggersIn(docs, &found) {
		w := readTrigger(v, dir, &found)
		if w.name == "" {
			continue
		}
		line, _ := v.Position("name")
		if first, twice := lines[w.name]; twice {
			refuse(&found, v, "name", graph.CodeDuplicateKey, "the trigger %s is there twice, first in line %d", w.name, first)
			continue
		}
		lines[w.name] = line
		all = append(all, w)
	}
	if len(found.Problems) > 0 {
		return nil, inFile(name, &found)
	}
	return all, nil
}

// triggersIn are the values that are triggers, or should be.
func triggersIn(docs []graph.Value, found *graph.Invalid) (all []graph.Value) {
	for _, doc := range docs {
		list, ok := doc.Get("triggers")
		if !ok {
			all = append(all, doc)
			continue
		}
		for _, key := range doc.Keys() {
			if key != "triggers" {
				refuse(found, doc, key, graph.CodeUnknownKey, "stands beside triggers: a file is a list of triggers, or one trigger in each document")
			}
		}
		items, ok := list.Items()
		if !ok && list.Plain() != nil {
			refuse(found, doc, "triggers", graph.CodeWrongType, "must be a list, not %s", list.Kind())
		}
		all = append(all, items...)
	}
	return all
}

func readTrigger(v graph.Value, dir string, found *graph.Invalid) (w written) {
	spec, ok := v.Plain().(map[string]any)
	if !ok {
		refuse(found, v, "", graph.CodeWrongType, "a trigger is a mapping with name, kind and what to run, not %s", v.Kind())
		return w
	}
	w = written{spec: spec, at: v}
	switch name := spec["name"].(type) {
	case string:
		w.name = name
	case nil:
	default:
		refuse(found, v, "name", graph.CodeWrongType, "must be text; put it in quotes")
		return w
	}
	if w.name == "" {
		refuse(found, v, "name", graph.CodeMissing, "give the trigger a name")
	}
	if n, ok := spec["dispatch_id"].(int64); ok { // the number of a dispatch
		spec["dispatch_id"] = strconv.FormatInt(n, 10)
	}
	if p, ok := spec["dir_path"].(string); ok && p != "" && !filepath.IsAbs(p) {
		spec["dir_path"] = filepath.Join(dir, p)
	}
	return w
}

func refuse(found *graph.Invalid, v graph.Value, path, code, format string, args ...any) {
	line, column := v.Position(path)
	found.Problems = append(found.Problems, graph.Problem{
		Path: path, Line: line, Column: column, Code: code, Message: fmt.Sprintf(format, args...),
	})
}

// inTrigger puts the place in a file before what the daemon refuses about a trigger.
func inTrigger(name string, w written, err error) error {
	var no *client.Refused
	if !errors.As(err, &no) {
		return err
	}
	var found graph.Invalid
	for _, e := range no.Errors {
		refuse(&found, w.at, e.Path, e.Code, "%s", e.Message)
	}
	if len(found.Problems) == 0 {
		refuse(&found, w.at, "", no.Code, "%s", no.Detail)
	}
	for i := range found.Problems {
		p := &found.Problems[i]
		p.Path = strings.TrimSuffix(w.name+": "+p.Path, ": ")
	}
	return inFile(name, &found)
}

// asSpec is the spec of a trigger that the daemon has answered.
func asSpec(raw json.RawMessage) (map[string]any, error) {
	v, err := graph.DecodeValue(raw)
	if err != nil {
		return nil, err
	}
	spec, _ := v.(map[string]any)
	for _, name := range []string{ // what a trigger shows beside its fields
		"id", "revision", "state", "reason", "last_event_at", "last_firing_at", "next_at", "lag_s", "pending", "backfill", "owner",
		"created_by", "run_as", "created_at", "updated_at", "seq", "warnings", "effective", "advice", "lattice_id",
	} {
		delete(spec, name)
	}
	return spec, nil
}
