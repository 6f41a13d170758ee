package database

import (
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Options are what the program says to both kinds.
type Options struct {
	// Own is the daemon's own database, which no trigger may open: "" if there is none.
	Own string
	// Roots are the folders that SQLite files may be in; empty: any.
	Roots []string
}

// Kinds of events.
const (
	kindRow  = "row"
	kindRows = "rows" // of mode level: there are some
)

// New returns the kinds "sqlite" and "database", whose triggers share connections, and
// their numbers.
func New(o Options) (sqlite, database triggers.Kind, stats func() Stats) {
	p := newPool(o)
	return p.makeSQLite, p.makeDatabase, p.stats
}

func (p *pool) makeSQLite(f *triggers.Fields) triggers.Made {
	c := config{place: readFile(f)}
	return p.made(f, c)
}

func (p *pool) makeDatabase(f *triggers.Fields) triggers.Made {
	c := config{}
	var secrets map[string]string
	c.place, secrets = readURL(f)
	c.listen = readListen(f, c.place)
	m := p.made(f, c)
	m.Secrets = secrets
	return m
}

func (p *pool) made(f *triggers.Fields, c config) triggers.Made {
	readTable(f, &c)
	return triggers.Made{
		Source: &source{pool: p, config: c, seat: p.next()}, Overlap: triggers.Queue,
		Event: eventFields(),
	}
}

// eventFields are the fields of `event` while nobody knows the table.
func eventFields() graph.Env {
	return graph.Env{
		"row": graph.Object, "key": graph.Object, "table": graph.String, "time": graph.String, "kind": graph.String,
		"backfill": graph.Boolean,
	}
}
