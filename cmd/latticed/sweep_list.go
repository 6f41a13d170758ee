package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/latticed/latticed/graph"
)

// readList reads a file of combinations: CSV by its name, otherwise JSON or YAML.
func (c *cli) readList(path string, declared []graph.Input) ([]map[string]any, error) {
	raw, err := c.readFile(path)
	if err != nil {
		return nil, usagef("--list: %v", err)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv", ".tsv":
		return csvRows(path, raw, declared)
	}
	docs, err := graph.DecodeDocuments(raw)
	if err != nil {
		return nil, usagef("--list %v", inFile(path, err))
	}
	if len(docs) != 1 {
		return nil, usagef("--list %s: must hold one list of objects of inputs, it holds %d documents", path, len(docs))
	}
	return plainRows(path, docs[0], declared)
}

// readFile reads a file, or with - what comes in.
func (c *cli) readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(c.stdin)
	}
	return readNamed(path)
}

// plainRows are the objects of a list.
func plainRows(file string, doc graph.Value, declared []graph.Input) ([]map[string]any, error) {
	items, ok := doc.Items()
	if !ok {
		return nil, usagef("--list %s: must be a list of objects of inputs, not %s", file, doc.Kind())
	}
	rows := make([]map[string]any, len(items))
	for i, item := range items {
		row, ok := item.Plain().(map[string]any)
		line, _ := item.Position("")
		if !ok {
			return nil, usagef("--list %s:%d: must be an object of inputs, not %s", file, line, item.Kind())
		}
		for _, name := range sortedKeys(row) {
			v := row[name]
			in, err := find(name, declared)
			if err != nil {
				return nil, inRow(file, line, err)
			}
			if text, ok := v.(string); ok && isPath(in) {
				if row[name], err = asText(in, text); err != nil {
					return nil, inRow(file, line, err)
				}
			}
		}
		rows[i] = row
	}
	return rows, nil
}

// csvRows reads a table whose first line names inputs. A cell is read as -i reads a
// value; an empty one leaves its input out. A file of a spreadsheet may begin with a mark
// of its encoding and may separate by semicolons.
func csvRows(file string, raw []byte, declared []graph.Input) ([]map[string]any, error) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(raw))
	r.Comma = separator(file, raw)
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, usagef("--list %s: is empty; its first line names inputs", file)
	}
	if err != nil {
		return nil, notCSV(file, err)
	}
	columns, err := csvColumns(header, declared)
	if err != nil {
		return nil, inRow(file, 1, err)
	}
	rows := []map[string]any{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if errors.Is(err, csv.ErrFieldCount) {
			line, _ := r.FieldPos(0)
			return nil, usagef("--list %s:%d: the first line names %d inputs, this one has %d values; a value with a %q in it needs quotes", file, line, len(header), len(cells), string(r.Comma))
		}
		if err != nil {
			return nil, notCSV(file, err)
		}
		row := map[string]any{}
		for i, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				continue
			}
			if row[columns[i].Name], err = byType(columns[i], cell); err != nil {
				line, _ := r.FieldPos(i)
				return nil, inRow(file, line, err)
			}
		}
		rows = append(rows, row)
	}
}

func csvColumns(header []string, declared []graph.Input) ([]graph.Input, error) {
	columns := make([]graph.Input, len(header))
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		in, err := find(name, declared)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, usagef("the column %s is there twice", name)
		}
		columns[i], seen[name] = in, true
	}
	return columns, nil
}

// separator is what stands between the names of the first line.
func separator(file string, raw []byte) rune {
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	best, most := ',', bytes.Count(first, []byte(","))
	for _, sep := range ";\t" {
		if n := bytes.Count(first, []byte(string(sep))); n > most {
			best, most = sep, n
		}
	}
	if most == 0 && strings.EqualFold(filepath.Ext(file), ".tsv") {
		return '\t'
	}
	return best
}

// notCSV says where a table can't be read.
func notCSV(file string, err error) error {
	if e := new(csv.ParseError); errors.As(err, &e) {
		return usagef("--list %s:%d: %v", file, e.Line, e.Err)
	}
	return usagef("--list %s: %v", file, err)
}

// inRow puts a place in a file before what is wrong with a value in it.
func inRow(file string, line int, err error) error {
	return usagef("--list %s:%d: %s", file, line, strings.TrimPrefix(fmt.Sprint(err), "-i "))
}
