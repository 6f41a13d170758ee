package database

import (
	"strings"
)

// statement is a SELECT that grows.
type statement struct {
	d     dialect
	l     *layout
	where []string
	args  []any
}

// statement begins one with the owner's clauses.
func (l *layout) statement(d dialect, clauses []string) *statement {
	s := &statement{d: d, l: l}
	for _, c := range clauses {
		s.where = append(s.where, enclosed(c))
	}
	return s
}

// selected is the whole statement: columns by their index, in the order of positions
// (or from the last one backwards), n rows at most.
func (s *statement) selected(columns []int, backwards bool, n int) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.name(c))
	}
	b.WriteString(" FROM ")
	if s.l.table.schema != "" {
		b.WriteString(s.d.quote(s.l.table.schema) + ".")
	}
	b.WriteString(s.d.quote(s.l.table.name))
	if len(s.where) > 0 {
		b.WriteString(" WHERE " + strings.Join(s.where, " AND "))
	}
	for i, c := range s.l.placing() {
		b.WriteString([]string{" ORDER BY ", ", "}[min(i, 1)] + s.name(c))
		if backwards {
			b.WriteString(" DESC")
		}
	}
	return s.d.page(b.String(), n)
}

func (s *statement) name(c int) string { return s.d.quote(s.l.columns[c].name) }

// parameter binds a value that is compared with a column.
func (s *statement) parameter(c int, v any) string {
	s.args = append(s.args, v)
	return s.d.parameter(len(s.args), s.l.columns[c])
}

// placing are the columns that place a row: those of the order, then those of the key
// that remain.
func (l *layout) placing() []int {
	columns := append([]int(nil), l.order...)
	for _, i := range l.ties {
		columns = append(columns, l.key[i])
	}
	return columns
}

// placed are the values of a position in the order of placing.
func (l *layout) placed(p position) []any {
	values := make([]any, 0, len(p.Order)+len(l.ties))
	for _, a := range p.Order {
		values = append(values, a.v)
	}
	for _, i := range l.ties {
		values = append(values, p.Key[i].v)
	}
	return values
}

// above adds that rows are above a floor.
func (s *statement) above(f floor) {
	switch {
	case f.at == nil:
	case f.strict:
		s.compare(">", s.l.placing(), s.l.placed(*f.at), false)
	default:
		values := make([]any, len(f.at.Order))
		for i, a := range f.at.Order {
			values[i] = a.v
		}
		s.compare(">", s.l.order, values, true)
	}
}

// upTo adds that rows are at or below a position.
func (s *statement) upTo(p position) { s.compare("<", s.l.placing(), s.l.placed(p), true) }

// compare adds that columns are greater (or less) than values, as a tuple is.
func (s *statement) compare(op string, columns []int, values []any, orEqual bool) {
	last := op
	if orEqual {
		last += "="
	}
	if len(columns) == 1 || s.d.tuples() {
		names, marks := make([]string, len(columns)), make([]string, len(columns))
		for i, c := range columns {
			names[i], marks[i] = s.name(c), s.parameter(c, values[i])
		}
		if len(columns) == 1 {
			s.where = append(s.where, names[0]+" "+last+" "+marks[0])
			return
		}
		s.where = append(s.where, "("+strings.Join(names, ", ")+") "+last+" ("+strings.Join(marks, ", ")+")")
		return
	}
	// a >= x AND (a > x OR a = x AND (b > y OR …)): the first part finds its way by the index.
	s.where = append(s.where, s.name(columns[0])+" "+op+"= "+s.parameter(columns[0], values[0]), s.spelled(op, last, columns, values))
}

func (s *statement) spelled(op, last string, columns []int, values []any) string {
	c := columns[0]
	if len(columns) == 1 {
		return s.name(c) + " " + last + " " + s.parameter(c, values[0])
	}
	greater := s.name(c) + " " + op + " " + s.parameter(c, values[0])
	equal := s.name(c) + " = " + s.parameter(c, values[0])
	return "(" + greater + " OR " + equal + " AND " + s.spelled(op, last, columns[1:], values[1:]) + ")"
}

// among adds that rows stand at one of some positions.
func (s *statement) among(at []position) {
	ways := make([]string, len(at))
	for i, p := range at {
		values := s.l.placed(p)
		parts := make([]string, len(values))
		for j, c := range s.l.placing() {
			parts[j] = s.name(c) + " = " + s.parameter(c, values[j])
		}
		ways[i] = strings.Join(parts, " AND ")
	}
	s.where = append(s.where, "("+strings.Join(ways, " OR ")+")")
}
