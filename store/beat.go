package store

import (
	"context"
	"errors"
)

// errBeat rolls the change of Beat back, so that it costs no commit.
var errBeat = errors.New("a beat changes nothing")

// Beat returns once the writer has taken a change: it proves that the writer lives, for
// systemd's watchdog. That the disk is full or the database locked is no reason to fail;
// Health tells that.
func (s *Store) Beat(ctx context.Context) error {
	err := s.change(ctx, func(*tx) error { return errBeat })
	if errors.Is(err, ErrClosed) || ctx.Err() != nil && !errors.Is(err, errBeat) {
		return err
	}
	return nil
}
