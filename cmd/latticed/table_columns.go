package main

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// column is one of a table: a path into a dispatch.
type column struct {
	name  string
	first string
	rest  string // behind the first dot
}

// The fields of a dispatch that have parts, and those that have none.
var (
	partedFields = []string{"inputs", "result", "labels", "error", "waiting", "counts", "lattice"}
	plainFields  = []string{
		"number", "id", "status", "reason", "note", "keep", "owner", "created_by", "run_as", "parent_id", "root_id",
		"trigger", "firing_id", "created_at", "started_at", "ended_at", "cancel_requested_at", "took",
	}
)

// readColumns reads what --columns names; nil: nothing.
func readColumns(words []string) ([]column, error) {
	var columns []column
	for _, word := range words {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		first, rest, deep := strings.Cut(word, ".")
		switch {
		case slices.Contains(plainFields, first) && !deep, slices.Contains(partedFields, first) && (!deep || rest != ""):
			columns = append(columns, column{word, first, rest})
		case slices.Contains(plainFields, first):
			return nil, usagef("--columns %s: %s has no parts", word, first)
		default:
			return nil, usagef("--columns %s: a dispatch has no %s%s", word, first, orColumns(first))
		}
	}
	return columns, nil
}

func orColumns(word string) string {
	if s := graph.Suggest(word, append(slices.Clone(partedFields), plainFields...)); s != "" {
		return "; did you mean " + s + "?"
	}
	return "; write inputs.NAME, result.NAME or labels.NAME, or one of " + strings.Join(plainFields, ", ")
}

// value is what the column holds of a dispatch; nil: nothing. Numbers stay as they were
// written.
func (col column) value(d client.Dispatch) any {
	switch col.first {
	case "took":
		if d.StartedAt.IsZero() || d.EndedAt.IsZero() {
			return nil
		}
		return json.Number(strconv.FormatFloat(d.EndedAt.Sub(d.StartedAt).Seconds(), 'f', -1, 64))
	case "number":
		return json.Number(strconv.FormatInt(d.Number, 10))
	case "status":
		return d.Status
	case "created_at", "started_at", "ended_at", "cancel_requested_at":
		return col.instant(d)
	case "inputs":
		return part(decoded(d.Inputs), col.rest)
	case "result":
		return part(decoded(d.Result), col.rest)
	case "lattice":
		if col.rest == "" {
			return d.Lattice.Name
		}
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil // it came as JSON
	}
	fields, _ := decoded(raw).(map[string]any)
	return part(fields[col.first], col.rest)
}

// instant is one of the times of a dispatch, as the daemon writes it.
func (col column) instant(d client.Dispatch) any {
	t := map[string]time.Time{
		"created_at": d.CreatedAt, "started_at": d.StartedAt, "ended_at": d.EndedAt, "cancel_requested_at": d.CancelRequestedAt,
	}[col.first]
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func decoded(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// part walks into a value: by keys, of which one may have dots in it, and by positions.
func part(v any, path string) any {
	if path == "" {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '.') {
			if inner, there := v[path[:end]]; there {
				return part(inner, strings.TrimPrefix(path[end:], "."))
			}
		}
	case []any:
		word, rest, _ := strings.Cut(path, ".")
		if i, err := strconv.Atoi(word); err == nil && i >= 0 && i < len(v) {
			return part(v[i], rest)
		}
	}
	return nil
}

// plainCells are the cells of a row as a program reads them.
func plainCells(columns []column, d client.Dispatch) []string {
	cells := make([]string, len(columns))
	for i, col := range columns {
		cells[i] = plainCell(col.value(d))
	}
	return cells
}

func plainCell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

// cellWidth is how much of a value a table shows.
const cellWidth = 40

// shownCells are the cells of a row as people read them.
func shownCells(columns []column, d client.Dispatch) []string {
	cells := make([]string, len(columns))
	for i, col := range columns {
		switch v := col.value(d); {
		case v == nil:
			cells[i] = "-"
		case col.first == "status":
			cells[i] = brief(d.Status, d.Reason, d.Waiting)
		case strings.HasSuffix(col.first, "_at"):
			cells[i] = here(plainCell(v))
		case col.first == "took":
			cells[i] = took(d.StartedAt, d.EndedAt)
		default:
			cells[i] = dash(cut(plainCell(v), cellWidth))
		}
	}
	return cells
}

// objectOf is a row as JSON, whose keys are the columns.
func objectOf(columns []column, d client.Dispatch) map[string]any {
	row := make(map[string]any, len(columns))
	for _, col := range columns {
		row[col.name] = col.value(d)
	}
	return row
}

// headings are the names of columns: of fields in capitals as in all tables, of parts as
// they are written, without inputs. and result. unless two are the same then.
func headings(names []string) []string {
	count := map[string]int{}
	short := make([]string, len(names))
	for i, name := range names {
		short[i] = name
		for _, field := range []string{"inputs.", "result.", "labels."} {
			if rest, ok := strings.CutPrefix(name, field); ok {
				short[i] = rest
			}
		}
		count[short[i]]++
	}
	for i := range short {
		if count[short[i]] > 1 {
			short[i] = names[i]
		}
		if slices.Contains(plainFields, names[i]) || names[i] == "lattice" {
			short[i] = strings.ToUpper(strings.ReplaceAll(short[i], "_", " "))
		}
	}
	return short
}

// ownColumns are those of a table for which none were named: the number, the status, the
// inputs that differ, and what is in the results.
func (c *cli) ownColumns(ctx context.Context, api *client.Client, q url.Values, limit int) ([]column, error) {
	inputs, results := map[string]*variety{}, map[string]*variety{}
	n := 0
	err := eachRow(ctx, api, q, limit, func(d client.Dispatch) error {
		n++
		for name, v := range flat("", decoded(d.Inputs), 0) {
			see(inputs, name, v)
		}
		for name, v := range flat("", decoded(d.Result), resultDepth) {
			see(results, name, v)
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	columns := []column{{"number", "number", ""}, {"status", "status", ""}}
	for _, name := range sortedKeys(inputs) {
		if v := inputs[name]; n == 1 || v.many || v.n < n {
			columns = append(columns, column{"inputs." + name, "inputs", name})
		}
	}
	for _, name := range sortedKeys(results) {
		columns = append(columns, column{strings.TrimSuffix("result."+name, "."), "result", name})
	}
	return columns, nil
}

// variety is what rows have in a column.
type variety struct {
	n     int // rows that have it
	first string
	many  bool // of different values
}

func see(all map[string]*variety, name string, v any) {
	text := plainCell(v)
	if all[name] == nil {
		all[name] = &variety{first: text}
	}
	all[name].n++
	all[name].many = all[name].many || all[name].first != text
}

// resultDepth is how deep results are taken apart: {fit: {r2: 1}} is a column fit.r2.
const resultDepth = 3

// flat takes an object apart, by the paths of its parts; what is none has the empty path.
func flat(at string, v any, depth int) map[string]any {
	m, ok := v.(map[string]any)
	switch {
	case v == nil && at == "":
		return nil
	case !ok || at != "" && depth < 0 || len(m) == 0:
		return map[string]any{at: v}
	}
	out := map[string]any{}
	for name, inner := range m {
		for path, value := range flat(strings.TrimPrefix(at+"."+name, "."), inner, depth-1) {
			out[path] = value
		}
	}
	return out
}
