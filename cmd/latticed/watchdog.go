package main

import (
	"context"
	"fmt"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"
)

const stopping = systemd.SdNotifyStopping + "\nSTATUS=stopping; electrons go on"

func ready(socket string) string {
	return systemd.SdNotifyReady + "\nSTATUS=serving at " + socket
}

// notify tells systemd, if it started us.
func notify(log zerolog.Logger, state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		log.Warn().Err(err).Msg("systemd can't be told")
	}
}

// beatLimit is how long a loop may take to answer.
const beatLimit = 10 * time.Second

// alive asks the loops to turn once; it fails when one doesn't. That the disk is full
// is not its business: starting over would not help, and /readyz tells.
func (d *daemon) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatLimit)
	defer cancel()
	for _, loop := range []struct {
		name string
		beat func(context.Context) error
	}{
		{"dispatcher's loop", d.dispatcher.Beat},
		{"manager of triggers", d.triggers.Beat},
		{"store's writer", d.store.Beat},
	} {
		if err := loop.beat(ctx); err != nil {
			return fmt.Errorf("the %s does not turn: %w", loop.name, err)
		}
	}
	return nil
}

// feedWatchdog keeps systemd from restarting us as long as the loops turn: each of
// its messages is the answer of a loop. The channel is closed when it has ended.
func (d *daemon) feedWatchdog(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	every, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		d.log.Warn().Err(err).Msg("the watchdog's interval can't be read")
	}
	if every <= 0 {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(every / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := d.alive(ctx); err != nil {
				if ctx.Err() == nil {
					d.log.Error().Err(err).Msg("the watchdog is not fed")
				}
				continue
			}
			notify(d.log, systemd.SdNotifyWatchdog)
		}
	}()
	return done
}
