package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// heartbeat is how often a connection that only listens is asked whether it lives: a
// server whose machine is gone sends nothing, too.
const heartbeat = 30 * time.Second

// listen waits for notifications on a connection of its own. They are hints: what was
// sent while nobody listened is lost, so each channel wakes once when it is listened to.
func (d postgresDialect) listen(ctx context.Context, a address, channels []string, wake func(channel string)) error {
	config, err := postgresConfig(a)
	if err != nil {
		return err
	}
	config.BuildContextWatcherHandler = func(pg *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: pg.Conn()}
	}
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { wake(n.Channel) }
	c, err := connectPostgres(ctx, a, config)
	if err != nil {
		return err
	}
	defer func() { _ = c.close() }()
	for _, channel := range channels {
		if err := c.prompt(ctx, "LISTEN "+d.quote(channel)); err != nil {
			return fmt.Errorf("listen to %s: %w", channel, err)
		}
		wake(channel)
	}
	for {
		if err := c.attend(ctx); err != nil {
			return err
		}
	}
}

// attend waits for one notification, or long enough to ask whether the server lives.
func (c *postgresConn) attend(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	err := c.pg.WaitForNotification(patience)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		return nil
	case c.pg.IsClosed() || !errors.Is(err, context.DeadlineExceeded) && !pgconn.Timeout(err):
		return &lostError{err}
	}
	return c.prompt(ctx, "")
}

// prompt says something that is answered at once by a server that lives.
func (c *postgresConn) prompt(ctx context.Context, sql string) error {
	inner, cancel := within(ctx, 0)
	defer cancel()
	err := c.say(inner, sql)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case inner.Err() != nil:
		err = errSilent
	}
	if c.pg.IsClosed() || errors.Is(err, errSilent) {
		return &lostError{err}
	}
	return err
}
