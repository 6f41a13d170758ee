package database

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// heartbeat is how often a connection that only listens is asked whether it lives: a
// server that hangs sends nothing, too. That its machine is gone is noticed before, see
// alive, unless another one stands between.
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
	probe := echo{channel: "latticed_" + rand.Text()}
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if n.Channel == probe.channel {
			probe.heard = true
			return
		}
		wake(n.Channel)
	}
	c, err := connectPostgres(ctx, a, config)
	if err != nil {
		return err
	}
	defer func() { _ = c.close() }()
	if err := d.hears(ctx, a, c, &probe); err != nil {
		return err
	}
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

// echo is a message of ours to ourselves.
type echo struct {
	channel string
	heard   bool
}

// earshot is how long an echo may take.
const earshot = 3 * time.Second

// errDeaf means that a pooler stands between, which lends a session for a transaction.
var errDeaf = errors.New("a pooler such as PgBouncer stands between and passes no messages on; " +
	"give the URL of PostgreSQL itself, or leave listen out and choose a shorter poll_interval")

// hears finds out whether messages arrive where a pooler stands between: to LISTEN is no
// error there, and what is told to that session is told to nobody. It shows in the number
// of the session, which is the pooler's for us and the server's for itself.
func (d postgresDialect) hears(ctx context.Context, a address, c *postgresConn, probe *echo) error {
	own, err := c.ask(ctx, "SELECT pg_backend_pid()::bigint")
	if err != nil || own[0][0] == int64(c.pg.PID()) {
		return err
	}
	channel := d.quote(probe.channel)
	if err := c.prompt(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	if err := d.tell(ctx, a, channel); err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, earshot)
	defer cancel()
	for err == nil && !probe.heard {
		err = c.pg.WaitForNotification(patience)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case c.pg.IsClosed():
		return &lostError{err}
	}
	err = c.prompt(ctx, "UNLISTEN "+channel)
	if err == nil && !probe.heard {
		return errDeaf
	}
	return err
}

// tell sends a message over a connection of its own.
func (d postgresDialect) tell(ctx context.Context, a address, channel string) error {
	config, err := postgresConfig(a)
	if err != nil {
		return err
	}
	c, err := connectPostgres(ctx, a, config)
	if err != nil {
		return err
	}
	defer func() { _ = c.close() }()
	return c.prompt(ctx, "NOTIFY "+channel)
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
