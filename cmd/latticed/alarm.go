package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/api"
	"github.com/latticed/latticed/triggers"
)

// Log keys of alarms.
const (
	keyTrigger = "trigger"
	keyStatus  = "status"
	keyReason  = "reason"
	keyBy      = "by"
)

// alarms tell somebody that a trigger has become failing and when it works again. What
// passes within the time of grace is not told, and what was not told is not taken back.
// A trigger that was failing before the daemon started counts as told of: when it works
// again within the grace, that is told, and when it does not, it is told of once more.
//
// Run's goroutine waits for the end of the grace; each courier has one of its own, so
// that a server that does not answer holds up no command.
type alarms struct {
	after    time.Duration
	log      zerolog.Logger
	couriers []*courier
	wake     chan struct{}

	mu       sync.Mutex
	troubles map[string]*trouble // by trigger id
}

// trouble is a trigger that is failing.
type trouble struct {
	alarm triggers.Alarm // how it was told last
	due   time.Time      // when it is to be told
	told  bool

	// before says that it was failing when the daemon was stopped, so that somebody may
	// have been told then.
	before bool
}

// newAlarms returns nil when nobody is to be told.
func newAlarms(cfg Alarm, log zerolog.Logger) *alarms {
	a := &alarms{after: cfg.after, log: log.With().Str(keyComponent, "alarm").Logger(), wake: make(chan struct{}, 1), troubles: map[string]*trouble{}}
	if len(cfg.Command) > 0 {
		a.couriers = append(a.couriers, newCourier("command", runCommand(cfg.Command, a.log), a.log))
		if err := runnable(cfg.Command[0]); err != nil {
			a.log.Warn().Err(err).Msg("the command of the alarm can't be run as things are")
		}
	}
	if cfg.URL != "" {
		a.couriers = append(a.couriers, newCourier("url", postTo(cfg.URL), a.log))
	}
	if len(a.couriers) == 0 {
		return nil
	}
	return a
}

// tell takes note of how a trigger is doing. It does not block.
func (a *alarms) tell(now triggers.Alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.troubles[now.ID]
	switch {
	case now.State == triggers.Failing && known == nil:
		a.troubles[now.ID] = &trouble{alarm: now, due: time.Now().Add(a.after), before: now.Before}
		a.wakeUp()
	case now.State == triggers.Failing:
		known.alarm = now // the reason may be another now
	case known == nil:
	case !known.told && !known.before:
		delete(a.troubles, now.ID)
	default:
		delete(a.troubles, now.ID)
		a.send(now)
	}
}

func (a *alarms) wakeUp() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// send hands an alarm to all couriers. a.mu is held, which keeps the order.
func (a *alarms) send(now triggers.Alarm) {
	a.log.Info().Str(keyTrigger, now.Trigger).Str(keyStatus, string(now.State)).Str(keyReason, now.Reason).Msg("alarm")
	for _, c := range a.couriers {
		c.add(now)
	}
}

// Run tells what is due until ctx ends. What is not delivered then is counted and lost:
// the trigger is failing still after the next start.
func (a *alarms) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range a.couriers {
		wg.Go(func() { c.run(ctx) })
	}
	for {
		var due <-chan time.Time
		if next := a.sendDue(time.Now()); !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-due:
		case <-a.wake:
		}
	}
}

// sendDue sends what has been failing for long enough; it returns when to look again.
func (a *alarms) sendDue(now time.Time) (next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.troubles {
		switch {
		case t.told:
		case !t.due.After(now):
			t.told = true
			a.send(t.alarm)
		case next.IsZero() || t.due.Before(next):
			next = t.due
		}
	}
	return next
}

// waiting counts the failing triggers that were not told yet.
func (a *alarms) waiting() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.troubles {
		if !t.told {
			n++
		}
	}
	return n
}

// letter is what a command reads and a server is sent.
type letter struct {
	triggers.Alarm
	Host string `json:"host"`
	Text string `json:"text"` // one sentence, which chat servers show as it is
	// Dropped counts the alarms before this one that there was no room for.
	Dropped int64 `json:"dropped,omitempty"`
}

func letterOf(a triggers.Alarm, dropped int64) (letter, []byte, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	said := fmt.Sprintf("latticed at %s: trigger %s is %s", host, a.Trigger, a.State)
	if a.State != triggers.Failing {
		said = fmt.Sprintf("latticed at %s: trigger %s is not failing any more: %s", host, a.Trigger, a.State)
	}
	if a.Reason != "" {
		said += " (" + oneLine(a.Reason) + ")"
	}
	l := letter{Alarm: a, Host: host, Text: said, Dropped: dropped}
	raw, err := json.Marshal(struct {
		letter
		At api.Micros `json:"at"` // as everywhere, instead of the alarm's own
	}{l, api.Micros(a.At)})
	return l, append(raw, '\n'), err
}
