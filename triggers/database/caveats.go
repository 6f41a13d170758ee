package database

import (
	"fmt"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var _ triggers.Describer = (*source)(nil)

// described is what a check has found.
type described struct {
	event    graph.Env
	warnings []graph.Warning
}

// Described is what the last Check has found.
func (s *source) Described() (graph.Env, []graph.Warning) {
	if d := s.found.Load(); d != nil {
		return d.event, d.warnings
	}
	return nil, nil
}

// event are the fields of `event` for rows of this layout. Values may be NULL, and in
// SQLite anything else, so nothing is said of their types.
func (l *layout) event() graph.Env {
	env := eventFields()
	env["row"], env["key"] = l.fields(l.hand), l.fields(l.key)
	return env
}

func (l *layout) fields(columns []int) graph.Env {
	env := graph.Env{}
	for _, c := range columns {
		env[l.columns[c].name] = graph.Any
	}
	return env
}

// fits refuses a table that has lost columns which the trigger's expressions name: each
// row would be rejected. It asks once for each layout.
func (s *source) fits(l *layout) error {
	if s.fit == nil || slices.Equal(s.fitted, l.columns) {
		return nil
	}
	if err := s.fit(l.event()); err != nil {
		return err
	}
	s.fitted = l.columns
	return nil
}

// caveats are what people should know of the columns that were chosen.
func (s *source) caveats(d dialect, l *layout) []graph.Warning {
	if s.mode == modeLevel {
		return nil
	}
	var ws []graph.Warning
	for _, i := range l.placing() {
		if c := l.columns[i]; !c.notNull {
			ws = append(ws, graph.Warning{Code: "null_cursor", Message: fmt.Sprintf("column %s may be NULL: such rows are not reported before it has a value", c.name)})
		}
	}
	if l.columns[l.order[0]].name == l.table.rowid && s.cursor == nil && l.table.rowid != "" {
		ws = append(ws, graph.Warning{Code: "rowid_cursor", Message: fmt.Sprintf("%s has no integer primary key, so its rows are told apart by their rowid, which VACUUM may change: name columns in cursor and key if there are better ones", l.table.name)})
	}
	if !l.indexed() {
		ws = append(ws, graph.Warning{Code: "no_index", Message: fmt.Sprintf(
			"no index of %s begins with %s, so each look reads the whole table; whoever owns it can make one: %s",
			l.table.name, l.columns[l.order[0]].name, l.wantedIndex(d))})
	}
	return ws
}

// indexed tells whether an index leads to the rows that come next in the order, as far as
// is known.
func (l *layout) indexed() bool {
	first := l.columns[l.order[0]].name
	return l.table.indexes == nil || first == l.table.rowid ||
		slices.ContainsFunc(l.table.indexes, func(columns []string) bool { return len(columns) > 0 && columns[0] == first })
}

// wantedIndex is a statement that makes the index.
func (l *layout) wantedIndex(d dialect) string {
	names := make([]string, len(l.placing()))
	for i, c := range l.placing() {
		names[i] = d.quote(l.columns[c].name)
	}
	table := d.quote(l.table.name)
	if l.table.schema != "" {
		if _, sqlite := d.(sqliteDialect); !sqlite { // which has the schema before the index
			table = d.quote(l.table.schema) + "." + table
		}
	}
	return fmt.Sprintf("CREATE INDEX %s ON %s (%s)", d.quote(indexName(l)), table, strings.Join(names, ", "))
}

// indexName is a name for it that no engine finds too long.
func indexName(l *layout) string {
	name := "latticed_" + l.table.name + "_" + l.columns[l.order[0]].name
	const most = 60
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "")
	}
	return name
}
