package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

// Limits say what is to be left of the machine.
type Limits struct {
	// MinFree is how much space has to be free where the state directory is for attempts
	// to start, text such as "5GiB" or a number of bytes; 0: never mind. Default: 1 GiB,
	// but no more than 5 % of the disk.
	MinFree any `toml:"min_free"`
}

func (l *Limits) wrong() (found []error) {
	if l.MinFree == nil {
		return nil
	}
	if n, err := graph.ParseSize(l.MinFree); err != nil {
		found = append(found, fmt.Errorf("limits.min_free: %w", err))
	} else if n < 0 {
		found = append(found, fmt.Errorf("limits.min_free must not be negative, is %d", n))
	}
	return found
}

const (
	defaultMinFree = 1 << 30
	minFreePart    = 20 // of the disk, by default
)

// least is how many bytes have to be free on a disk of that size.
func (l *Limits) least(total int64) int64 {
	if n, err := graph.ParseSize(l.MinFree); l.MinFree != nil && err == nil {
		return n
	}
	return min(defaultMinFree, total/minFreePart)
}

// diskEvery is how often the disk is looked at.
const diskEvery = 2 * time.Second

// gauge holds attempts that would start while there is little space. Its goroutine is
// that of Run.
type gauge struct {
	dir        string
	dispatcher *dispatcher.Dispatcher
	log        zerolog.Logger
	limits     atomic.Pointer[Limits]

	free, holds atomic.Int64
	low         atomic.Bool
}

func newGauge(dir string, l Limits, d *dispatcher.Dispatcher, log zerolog.Logger) *gauge {
	g := &gauge{dir: dir, dispatcher: d, log: log.With().Str(keyComponent, "disk").Logger()}
	g.limits.Store(&l)
	return g
}

// Run looks until ctx ends.
func (g *gauge) Run(ctx context.Context) error {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			g.look()
		}
	}
}

// look holds what would start, or lets it go on. A tenth more than the limit has to be
// free for that, so that the next output doesn't hold it again at once.
func (g *gauge) look() {
	free, total, err := store.Space(g.dir)
	if err != nil {
		return // whoever writes there says so
	}
	g.free.Store(free)
	least := g.limits.Load().least(total)
	switch low := g.low.Load(); {
	case !low && free < least:
		g.low.Store(true)
		g.holds.Add(1)
		g.dispatcher.Hold(dispatcher.HoldDisk, "less than "+bytesText(least)+" are free in "+g.dir+"; attempts start again when there is more")
		g.log.Error().Int64("free", free).Int64("min_free", least).Str("state_dir", g.dir).Msg("little space is left: no attempt starts")
	case low && free >= least+least/10:
		g.low.Store(false)
		g.dispatcher.Release(dispatcher.HoldDisk)
		g.log.Info().Int64("free", free).Int64("min_free", least).Msg("there is space again: attempts start")
	}
}

// bytesText is a size for people.
func bytesText(n int64) string {
	const units = "KMGTPE"
	v, u := float64(n), -1
	for v >= 1024 && u < len(units)-1 {
		v /= 1024
		u++
	}
	if u < 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	digits := 0
	if v < 10 && v != float64(int64(v)) {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + units[u:u+1] + "iB"
}
