package database

import (
	"fmt"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

// layout is how a table is read for one trigger.
type layout struct {
	table   table
	columns []column // that are read, each once
	order   []int    // of columns: by which rows are ordered
	key     []int    // and told apart
	ties    []int    // of key: those that are not in the order, too
	hand    []int    // of columns: what is handed over
	unique  bool     // no two rows are of the same order
}

// wish is what the fields of a trigger say about a layout; nil: by default.
type wish struct {
	mode    string
	cursor  []string
	key     []string
	version string
	columns []string
}

// refusals are what is wrong with a trigger of a table.
type refusals []graph.Problem

func (r *refusals) add(field, code, format string, args ...any) {
	*r = append(*r, graph.Problem{Path: field, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (r refusals) err() error {
	if len(r) == 0 {
		return nil
	}
	return &graph.Invalid{Problems: r}
}

// lay makes the layout of a table. What doesn't fit is a *graph.Invalid.
func lay(t table, w wish) (*layout, error) {
	l := &layout{table: t}
	var wrong refusals
	l.choose(w, &wrong)
	if w.mode == modeRows {
		key := l.keyOf(w, &wrong)
		l.order = l.take("cursor", l.orderOf(w, &wrong), &wrong)
		l.key = l.take("key", key, &wrong)
		l.orderable(&wrong)
	} else {
		l.key = l.take("key", given(w.key, t.key), &wrong)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	for i, c := range l.key {
		if !slices.Contains(l.order, c) {
			l.ties = append(l.ties, i)
		}
	}
	l.unique = len(l.ties) == 0 && len(l.key) > 0
	return l, nil
}

// given is the first list that is given.
func given(lists ...[]string) []string {
	for _, list := range lists {
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// choose takes the columns that are handed over.
func (l *layout) choose(w wish, wrong *refusals) {
	names := w.columns
	if names == nil {
		for _, c := range l.table.columns {
			names = append(names, c.name)
		}
	}
	l.hand = l.take("columns", names, wrong)
}

func (l *layout) keyOf(w wish, wrong *refusals) []string {
	key := given(w.key, l.table.key)
	switch {
	case key != nil:
		return key
	case l.table.rowid != "":
		return []string{l.table.rowid}
	}
	wrong.add("key", graph.CodeMissing, "%s has no primary key, so its rows can't be told apart: name the columns that do it, such as key: [id], or choose mode: level", l.table.name)
	return nil
}

func (l *layout) orderOf(w wish, wrong *refusals) []string {
	order := w.cursor
	if order == nil && w.version == "" {
		order = l.ownOrder()
		if order == nil {
			wrong.add("cursor", graph.CodeMissing, "%s has no single column that grows with each row as far as its catalogue tells: name one, or several, such as cursor: [created_at], or choose mode: level", l.table.name)
		}
	}
	if w.version != "" && !slices.ContainsFunc(order, func(c string) bool { return strings.EqualFold(c, w.version) }) {
		order = append([]string{w.version}, order...)
	}
	return order
}

// ownOrder is what the rows of a table are ordered by when nobody says so.
func (l *layout) ownOrder() []string {
	t := l.table
	if len(t.key) == 1 {
		if c, ok := t.column(t.key[0]); ok && c.class == classInteger {
			return t.key
		}
	}
	switch {
	case t.rowid != "":
		return []string{t.rowid}
	case t.serial != "":
		return []string{t.serial}
	}
	return nil
}

// orderable refuses what can't order rows or tell them apart.
func (l *layout) orderable(wrong *refusals) {
	for i, c := range l.columns {
		if c.class != classJSON && c.class != classUnordered {
			continue
		}
		switch {
		case slices.Contains(l.order, i):
			wrong.add("cursor", graph.CodeBadValue, "%s is of type %s, which has no order that rows can be read by", c.name, c.typ)
		case slices.Contains(l.key, i):
			wrong.add("key", graph.CodeBadValue, "%s is of type %s, which has no order that rows can be told apart by: name other columns, such as key: [id]", c.name, c.typ)
		}
	}
}

// take adds columns to those that are read and returns where they are.
func (l *layout) take(field string, names []string, wrong *refusals) []int {
	var at []int
	for i, name := range names {
		c, ok := l.table.column(name)
		if !ok {
			path := field
			if len(names) > 1 {
				path = fmt.Sprintf("%s[%d]", field, i)
			}
			wrong.add(path, graph.CodeUnknownName, "%s has no column %q%s", l.table.name, name, didYouMean(name, l.table.names()))
			continue
		}
		j := slices.IndexFunc(l.columns, func(o column) bool { return o.name == c.name })
		if j < 0 {
			j, l.columns = len(l.columns), append(l.columns, c)
		}
		at = append(at, j)
	}
	return at
}

// column finds a column by its name: as it is written, else whatever its capitals.
func (t table) column(name string) (column, bool) {
	for _, c := range t.columns {
		if c.name == name {
			return c, true
		}
	}
	for _, c := range t.columns {
		if strings.EqualFold(c.name, name) {
			return c, true
		}
	}
	if t.rowid != "" && strings.EqualFold(name, t.rowid) {
		return column{name: t.rowid, typ: "INTEGER", class: classInteger, notNull: true}, true
	}
	return column{}, false
}

// indexColumn adds a column to the last index, or to another one.
func (t *table) indexColumn(another bool, column string) {
	if another {
		t.indexes = append(t.indexes, nil)
	}
	last := &t.indexes[len(t.indexes)-1]
	*last = append(*last, column)
}

func (t table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

func didYouMean(word string, known []string) string {
	if s := graph.Suggest(word, known); s != "" {
		return "; did you mean " + s + "?"
	}
	if len(known) > 20 {
		return ""
	}
	return "; it has " + strings.Join(known, ", ")
}

// position is where a row stands, by the values of its columns.
func (l *layout) position(values []any) position {
	p := position{Order: make([]atom, len(l.order)), Key: make([]atom, len(l.key))}
	for i, c := range l.order {
		p.Order[i] = atom{values[c]}
	}
	for i, c := range l.key {
		p.Key[i] = atom{values[c]}
	}
	return p
}
