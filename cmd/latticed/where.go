package main

import (
	"net/url"
	"slices"
	"strings"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// whereWords are the filters that --where knows, besides input.NAME.
func whereWords() []string {
	return []string{"status", "lattice", "trigger", "label", "owner", "q", "parent", "since", "until"}
}

const inputWord = "input."

// readWhere reads the words of --where: filters name=value with commas between them. A
// part that is no filter belongs to the value before it, so that status=failed,cancelled
// and label=why=a,b are what they look like; \, is a comma that separates nothing.
func readWhere(words []string) (client.Where, error) {
	q := url.Values{}
	for _, word := range words {
		last := ""
		for _, part := range splitCommas(word) {
			name, value, is := strings.Cut(part, "=")
			switch {
			case is && known(name):
				last = name
				q.Add(name, value)
			case last == "", last == "status" && is, last != "label" && is && graph.Suggest(name, whereWords()) != "":
				return client.Where{}, notAFilter(part)
			case last == "status":
				q.Add(last, part)
			default:
				values := q[last]
				values[len(values)-1] += "," + part
			}
		}
	}
	return whereOf(q)
}

func known(name string) bool {
	return slices.Contains(whereWords(), name) || strings.HasPrefix(name, inputWord) && name != inputWord
}

func notAFilter(part string) error {
	name, _, is := strings.Cut(part, "=")
	if s := graph.Suggest(name, whereWords()); is && s != "" {
		return usagef("--where %s: there is no filter %s; did you mean %s?", part, name, s)
	}
	return usagef("--where %s: write NAME=VALUE,… with %s or input.NAME", part, strings.Join(whereWords(), ", "))
}

// splitCommas splits at commas without a backslash, which it takes away.
func splitCommas(s string) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == ',':
			i++
			b.WriteByte(',')
		case s[i] == ',':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(parts, b.String())
}

// whereOf makes the filters of the route out of words.
func whereOf(q url.Values) (client.Where, error) {
	var w client.Where
	one := map[string]*string{
		"lattice": &w.Lattice, "trigger": &w.Trigger, "owner": &w.Owner, "q": &w.Q,
		"parent": &w.Parent, "since": &w.Since, "until": &w.Until,
	}
	inputs := map[string]any{}
	for _, name := range sortedKeys(q) {
		values := q[name]
		if slices.Contains(values, "") {
			return w, usagef("--where %s: the value is empty", name)
		}
		input, isInput := strings.CutPrefix(name, inputWord)
		switch {
		case name == "status":
			w.Status = values
			continue
		case name == "label":
			labels, err := readPairs("where label", values)
			if err != nil {
				return w, usagef("--where label=%s: write label=KEY=VALUE", values[0])
			}
			w.Label = labels
			continue
		case len(values) > 1:
			return w, usagef("--where %s: it is given twice", name)
		case isInput:
			inputs[input] = values[0]
			continue
		}
		*one[name] = values[0]
	}
	for name, at := range map[string]*string{"where since": &w.Since, "where until": &w.Until} {
		var err error
		if *at, err = instant(name, *at); err != nil {
			return w, err
		}
	}
	if len(inputs) > 0 {
		raw, err := graph.Canonical(inputs)
		if err != nil {
			return w, usagef("--where: %v", err)
		}
		w.Input = raw
	}
	return w, nil
}
