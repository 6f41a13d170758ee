package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var _ triggers.Checker = (*source)(nil)

// Check refuses what can't be reached or does not fit: it is almost always a slip of the
// pen. It asks for one row in the way that polls do, so that the engine reads the
// clauses.
func (s *source) Check(ctx context.Context) error {
	return s.ask(ctx, func(l *link) error {
		err := l.use(ctx, func(ctx context.Context, x *session) error {
			table, err := x.layout(ctx, s.table, s.wish)
			if err != nil {
				return err
			}
			s.found.Store(&described{table.event(), s.caveats(x.dialect, table)})
			r := x.reading(table, &s.config)
			if s.mode == modeLevel {
				_, err = r.rows(ctx, table.statement(x.dialect, s.clauses), 1)
				return err
			}
			if _, err := s.begin(ctx, r, time.Now()); err != nil {
				return err
			}
			_, err = r.last(ctx, 1)
			return err
		})
		return s.refusal(err)
	})
}

// ask lends the link for a question beside Run, and gives up with ctx: a file server or
// a server may never answer. The goroutine that asks is left behind then.
func (s *source) ask(ctx context.Context, f func(*link) error) error {
	answer := make(chan error, 1)
	go func() {
		l, err := s.pool.join(ctx, s.place)
		if err == nil {
			err = f(l)
			s.pool.leave(l)
		}
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// whereabouts is the field that says where the database is.
func (c *config) whereabouts() string {
	switch {
	case c.place.file != "":
		return "url_file"
	case c.place.env != "":
		return "url_env"
	case c.place.direct.engine == engineSQLite:
		return "db_path"
	}
	return "url"
}

// refusal says which field is to blame for what a database answers. One that is only
// busy is there, and is polled later.
func (s *source) refusal(err error) error {
	var down *downError
	var query *queryError
	switch {
	case errors.As(err, &down) && down.busy:
		return nil
	case errors.As(err, &down):
		return refuse(s.whereabouts(), graph.CodeBadValue, "%s", down.reason)
	case !errors.As(err, &query):
		return err
	case query.ofPlace || query.trouble == troubleDenied && !query.ofTable:
		return refuse(s.whereabouts(), graph.CodeBadValue, "%s", query)
	case query.ofTable:
		return refuse("table_name", graph.CodeUnknownName, "%s", query)
	case len(s.clauses) > 0: // the columns are those of the catalogue
		return refuse("where_clauses", graph.CodeBadValue, "%s", query)
	}
	return refuse("table_name", graph.CodeBadValue, "%s", query)
}

func refuse(field, code, format string, args ...any) error {
	return &graph.Invalid{Problems: []graph.Problem{{Path: field, Code: code, Message: fmt.Sprintf(format, args...)}}}
}
