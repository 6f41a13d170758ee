package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latticed/latticed/api"
	"github.com/latticed/latticed/triggers"
)

const (
	lookLimit   = 5 * time.Second        // for one question in a check
	checkLimit  = 15 * time.Second       // for one check
	mountLimit  = 2 * time.Second        // for all folders together
	slowWrite   = 500 * time.Millisecond // a commit takes a few milliseconds
	largeWAL    = 256 << 20
	namedAtMost = 5
)

// doctor looks at what the daemon lives on. Nothing of it changes anything. Those who ask
// at the same time are served one after the other: a look costs something.
func (d *daemon) doctor(cfg Config) func(context.Context) []api.Check {
	dir, mounts, turn := cfg.Paths.StateDir, newLooks(), make(chan struct{}, 1)
	checks := []*check{
		{name: "doors", look: func(context.Context) api.Check { return d.checkDoors(cfg) }},
		{name: "certificate", look: func(context.Context) api.Check { return checkCertificate(d.doors, time.Now()) }},
		{name: "tokens", look: func(ctx context.Context) api.Check { return d.checkTokens(ctx, time.Now()) }},
		{name: "clock", look: func(context.Context) api.Check { return checkClock() }},
		{name: "disk", look: func(context.Context) api.Check {
			return checkDisk(dir, func(total int64) int64 { return d.gauge.limits.Load().least(total) })
		}},
		{name: "incoming", look: func(context.Context) api.Check { return d.checkIncoming(dir) }},
		{name: "permissions", look: func(context.Context) api.Check { return checkPermissions(dir) }},
		{name: "database", look: d.checkDatabase},
		{name: "runner", look: func(ctx context.Context) api.Check { return d.checkRunner(ctx, cfg.Paths.Runner) }},
		{name: "inotify", look: func(context.Context) api.Check { s := d.folders(); return checkInotify(s.Watches, s.Overflows) }},
		{name: "mounts", look: func(ctx context.Context) api.Check { return d.checkMounts(ctx, mounts) }},
		{name: "triggers", look: d.checkTriggers},
		{name: "hold", look: func(context.Context) api.Check { return d.checkHold() }},
	}
	return func(ctx context.Context) []api.Check {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return nil // nobody listens any more
		}
		found := make([]api.Check, len(checks))
		var wg sync.WaitGroup
		for i, c := range checks {
			wg.Go(func() { found[i] = c.run(ctx, checkLimit) }) // some wait for what does not answer
		}
		wg.Wait()
		return found
	}
}

// check is one look, which may never come back: a disk that is gone lets nobody go.
type check struct {
	name string
	look func(context.Context) api.Check
	away atomic.Bool // the last one has not ended
}

// run looks, for so long at most.
func (c *check) run(ctx context.Context, within time.Duration) api.Check {
	silent := wrong(c.name, "it does not answer", "is the disk or the file server gone? The kernel's log (dmesg) may tell")
	if c.away.Swap(true) {
		return silent
	}
	answer := make(chan api.Check, 1)
	go func() {
		found := c.look(ctx)
		c.away.Store(false)
		answer <- found
	}()
	limit := time.NewTimer(within)
	defer limit.Stop()
	select {
	case found := <-answer:
		return found
	case <-limit.C:
		return silent
	}
}

func (d *daemon) checkDoors(cfg Config) api.Check {
	const name = "doors"
	said := "it listens at " + cfg.Paths.Socket
	if more := addresses(d.doors); len(more) > 0 {
		said += " and " + strings.Join(more, ", ")
	}
	info, err := os.Lstat(cfg.Paths.Socket)
	switch {
	case err != nil:
		return wrong(name, "the socket "+cfg.Paths.Socket+" is gone: "+err.Error(), "restart the daemon")
	case info.Mode().Perm()&0o007 != 0:
		return wrong(name, fmt.Sprintf("everybody on this machine may use the socket %s (%s)", cfg.Paths.Socket, info.Mode().Perm()), "chmod 0660 "+cfg.Paths.Socket)
	case len(d.doors) > 0 && cfg.HTTP.AllowPlain && cfg.HTTP.TLSCert == "":
		return warn(name, said+", without TLS", "give it a certificate: [http] tls_cert and tls_key")
	}
	return well(name, said)
}

func (d *daemon) checkDatabase(ctx context.Context) api.Check {
	const name = "database"
	if err := d.store.Health(); err != nil {
		return wrong(name, "the last write failed: "+err.Error(), "see the checks of the disk and the permissions")
	}
	began := time.Now()
	beat, stop := context.WithTimeout(ctx, lookLimit)
	defer stop()
	if err := d.store.Beat(beat); err != nil {
		return wrong(name, fmt.Sprintf("the writer has not answered within %s: %v", lookLimit, err), "is the disk well? The kernel's log (dmesg) may tell")
	}
	took, s := time.Since(began), d.store.Stats()
	said := fmt.Sprintf("%s and %s of log; the writer answers within %s", bytesText(s.DBBytes), bytesText(s.WALBytes), took.Round(10*time.Microsecond))
	look, end := context.WithTimeout(ctx, lookLimit)
	defer end()
	switch err := d.store.Examine(look); {
	case errors.Is(err, context.DeadlineExceeded):
		said += "; it is too large to be examined whole here"
	case err != nil:
		return wrong(name, err.Error(), "restore the last backup: latticed restore DIR --state-dir NEW")
	default:
		said += "; it is sound"
	}
	switch {
	case took > slowWrite:
		return warn(name, said, "the disk is slow or busy; the state directory belongs on a local disk")
	case s.WALBytes > largeWAL:
		return warn(name, said, "something has read for very long; restart the daemon if it does not shrink")
	}
	return well(name, said)
}

func (d *daemon) checkRunner(ctx context.Context, socket string) api.Check {
	const name, remedy = "runner", "systemctl status 'latticed-runner@*', or restart the daemon when it starts its own"
	if _, err := os.Stat(socket); socket != "" && errors.Is(err, fs.ErrNotExist) {
		return wrong(name, "no runner answers: there is no socket "+socket, remedy)
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- d.local.Check(ctx) }() // it is patient with a runner that starts
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = fmt.Errorf("no runner answers within %s", lookLimit)
	}
	if err != nil {
		return wrong(name, err.Error(), remedy)
	}
	if who, err := d.local.Info(ctx); err != nil || who.Cgroup == "" {
		return warn(name, "it answers; attempts have no cgroup of their own: of a cancelled one, what hides well may stay",
			"run it by its unit, which delegates one")
	}
	return well(name, "it answers, and each attempt has a cgroup of its own")
}

// checkMounts looks where the folders are that triggers watch.
func (d *daemon) checkMounts(ctx context.Context, looks *looks) api.Check {
	const name = "mounts"
	all, err := d.store.Triggers(ctx)
	if err != nil {
		return wrong(name, err.Error(), "see the check of the database")
	}
	var dirs, names []string
	for _, t := range all {
		var spec struct {
			Dir string `json:"dir_path"`
		}
		if t.Kind != "directory" || json.Unmarshal(t.Spec, &spec) != nil {
			continue
		}
		dirs, names = append(dirs, spec.Dir), append(names, t.Name)
	}
	var away, polled []string
	found := looks.all(dirs, mountLimit)
	for i, dir := range dirs {
		switch s := found[dir]; {
		case s.err != nil:
			away = append(away, fmt.Sprintf("%s (trigger %s): %v", dir, names[i], s.err))
		case s.network:
			polled = append(polled, dir+" is on "+s.kind)
		}
	}
	switch {
	case len(away) > 0:
		return wrong(name, "folders can't be looked at: "+some(away), "are they mounted, and may the daemon's user read them? Each needs r and x, and x on every folder above")
	case len(polled) > 0:
		return warn(name, "polled, since other machines write there: "+some(polled), "nothing, if a delay of some seconds is no matter")
	}
	return well(name, fmt.Sprintf("watched folders: %d, all there", len(dirs)))
}

// some are the first few of many, for one line.
func some(all []string) string {
	if len(all) <= namedAtMost {
		return strings.Join(all, "; ")
	}
	return strings.Join(all[:namedAtMost], "; ") + fmt.Sprintf("; and %d more", len(all)-namedAtMost)
}

// checkTriggers names those that do not work.
func (d *daemon) checkTriggers(ctx context.Context) api.Check {
	const name = "triggers"
	all, err := d.store.Triggers(ctx)
	if err != nil {
		return wrong(name, err.Error(), "see the check of the database")
	}
	var failing, degraded []string
	for _, t := range all {
		switch t = d.triggers.Live(t); t.State {
		case triggers.Failing:
			failing = append(failing, t.Name+": "+t.Reason)
		case triggers.Degraded:
			degraded = append(degraded, t.Name+": "+t.Reason)
		}
	}
	switch {
	case len(failing) > 0:
		return wrong(name, "failing: "+some(failing), "latticed trigger show NAME")
	case len(degraded) > 0:
		return warn(name, "degraded: "+some(degraded), "latticed trigger show NAME")
	}
	return well(name, fmt.Sprintf("%d, none of them in trouble", len(all)))
}

func (d *daemon) checkHold() api.Check {
	const name = "hold"
	switch w := d.dispatcher.Held(); {
	case d.triggers.Held():
		return warn(name, "everything is held since the restore from a backup", "latticed hold, then latticed hold --end")
	case w != nil:
		return wrong(name, w.Detail, "see the check of the disk")
	}
	return well(name, "attempts start")
}
