package directory

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Pain point 1: what is lost during a look may be about what it has looked at already.
func TestLook_is_repeated_when_hints_were_lost_meanwhile(t *testing.T) {
	w := newWorld(t)
	for i := range 2 * maxChanges {
		w.write(fmt.Sprint(i), "")
	}
	l := w.lone(`"event_names":["created"],"existing":"fire","settle":"0s"`)
	defer l.close()
	lost := 0
	emit := func(ctx context.Context, b triggers.Batch) error {
		if lost++; lost == 1 { // in the middle of the first look
			w.write("0", "changed") // its hint
			overflows(w.hub)
		}
		return l.emit(ctx, b)
	}
	var until *triggers.UntilError
	if err := l.source.Run(t.Context(), l.from(), emit); !errors.As(err, &until) {
		t.Fatal(err)
	}
	if lost == 0 || time.Until(until.At) > time.Second {
		t.Errorf("the next look is at %s, after %d batches", until.At, lost)
	}
}

// overflows tells all triggers that hints were lost.
func overflows(h *hub) {
	raw, fs := h.descriptors()
	if raw != nil {
		raw.everyone()
	}
	if fs != nil {
		fs.everyone(true)
	}
}

func TestPause_between_looks_grows_with_what_they_cost(t *testing.T) {
	for _, c := range []struct {
		mode    string
		skipped int
		took    time.Duration
		want    time.Duration
	}{
		{modeEvents, 0, time.Second, lookEvery},
		{modeEvents, 0, time.Minute, 50 * time.Minute},
		{modeEvents, 1, time.Millisecond, unreadEvery},
		{modePoll, 0, time.Millisecond, pollEvery},
		{modePoll, 0, 6 * time.Second, time.Minute},
		{modePoll, 0, 6300 * time.Millisecond, 90 * time.Second},
	} {
		w := newWatch(&config{mode: c.mode}, &hub{}, triggers.From{})
		w.top.watched, w.skipped = &watched{}, c.skipped
		if got := w.pause(c.took); got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.mode, c.took, got, c.want)
		}
	}
}
