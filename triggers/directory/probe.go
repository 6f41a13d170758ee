package directory

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// maxListed bounds each list of a probe; the rest is counted.
const maxListed = 100

var _ triggers.Prober = (*source)(nil)

// Probe says what would be reported of what is there: of a trigger that is only
// considered, as if everything came now.
func (s *source) Probe(ctx context.Context, from triggers.From) (triggers.Probed, error) {
	return answer(ctx, s.path, func() (triggers.Probed, error) {
		c, err := s.census(ctx, from, "", nil, s.hub.probes())
		var t *trouble
		if errors.As(err, &t) {
			return triggers.Probed{Warnings: []graph.Warning{{Code: "unreadable", Message: troubleWith(s.path, t.err)}}}, nil
		}
		if err != nil {
			return triggers.Probed{}, err
		}
		p := probe{census: c}
		if err := p.files(); err != nil {
			return triggers.Probed{}, err
		}
		if err := p.units(); err != nil {
			return triggers.Probed{}, err
		}
		p.warn()
		return p.out, nil
	})
}

// probe collects what a source would report.
type probe struct {
	*census
	out     triggers.Probed
	counted int // files that no rule leaves out
}

func (p *probe) fires(e triggers.Event) {
	if p.out.Counts.WouldFire++; len(p.out.Events) < maxListed {
		p.out.Events = append(p.out.Events, e)
	}
}

func (p *probe) settles(rel string, st standing) {
	if p.out.Counts.Settling++; len(p.out.Settling) < maxListed {
		p.out.Settling = append(p.out.Settling, triggers.Settling{Key: p.key(rel), Until: moment(st.until), Why: st.why})
	}
}

func (p *probe) ignores(rel, why string) {
	if p.out.Counts.Ignored++; len(p.out.Ignored) < maxListed {
		p.out.Ignored = append(p.out.Ignored, triggers.Ignored{Key: p.key(rel), Reason: why})
	}
}

func (p *probe) key(rel string) string {
	if p.file {
		return keyPath(p.path)
	}
	return keyPath(path.Join(p.path, rel))
}

// moment is an instant given in ns; zero stays zero.
func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// files goes through what is there. With units, it only finds what is left out.
func (p *probe) files() error {
	for i := range p.there {
		f := &p.there[i]
		if rule := p.leftOut(f); rule != "" {
			p.ignores(f.rel, rule)
			continue
		}
		if f.folder() {
			continue
		}
		p.counted++
		if p.asm != nil {
			continue
		}
		if err := p.single(f); err != nil {
			return err
		}
	}
	return nil
}

// single says how a file stands that is an event of its own.
func (p *probe) single(f *found) error {
	n, known, err := p.noted(f.rel)
	if err != nil {
		return err
	}
	report, st := p.stands(f, n, known)
	for _, kind := range report.names() {
		e, err := fileEvent(p.dir(), f.rel, kind, f.stamp, "")
		if err != nil {
			return err
		}
		p.fires(e)
	}
	switch st.state {
	case isReady:
	case triggers.FindingSettling:
		p.settles(f.rel, st)
	default:
		p.ignores(f.rel, st.why)
	}
	return nil
}

// dir is the folder to which names are relative.
func (c *census) dir() string {
	if c.file {
		return path.Dir(c.path)
	}
	return c.path
}

// units says how the units stand that are there.
func (p *probe) units() error {
	if p.asm == nil {
		return nil
	}
	list, err := p.assemble()
	if err != nil {
		return err
	}
	for _, u := range list {
		if !u.known {
			p.fire(p.asm.event(u, p.asm.wants.created, "created", false))
		}
		st, late := p.weigh(u)
		rel := p.asm.path(u)
		switch {
		case st.state == isReady, late:
			p.fire(p.asm.event(u, p.asm.wants.ready, "ready", !late))
		case st.state == triggers.FindingSettling, st.state == triggers.FindingWaiting:
			p.settles(rel, st)
		default:
			p.ignores(rel, st.why)
		}
	}
	return nil
}

func (p *probe) fire(events []triggers.Event) {
	for _, e := range events {
		p.fires(e)
	}
}

// warn says what people should know before they rely on the trigger.
func (p *probe) warn() {
	warn := func(code, format string, args ...any) {
		p.out.Warnings = append(p.out.Warnings, graph.Warning{Code: code, Message: fmt.Sprintf(format, args...)})
	}
	c := p.out.Counts
	if there := c.WouldFire + c.Settling; p.fresh && !p.config.fire && there > 0 {
		p.out.AsIfNew = true
		warn("existing_ignored", "%d there already will not fire: existing is ignore; choose existing: fire, or make events of them with a backfill of the trigger", there)
	}
	if p.counted == 0 && len(p.out.Ignored) > 0 {
		warn("nothing_matches", "nothing of the %d names in %s counts; the first: %s (%s)", len(p.there), p.path, p.out.Ignored[0].Key, p.out.Ignored[0].Reason)
	}
	switch {
	case p.network == "" || p.mode == modePoll:
	case p.mode == modeEvents:
		warn("network", "%s is on %s, where other hosts write unseen, and mode is events: what they write is found by the look every %s; choose mode auto", p.path, p.network, lookEvery)
	default:
		warn("network", "%s is on %s, where other hosts write unseen: it is looked at every %s, and settle counts from there", p.path, p.network, pollEvery)
	}
	if p.full {
		warn("too_many", "only the first %d names were looked at", p.limit)
	}
	if p.skipped > 0 {
		warn("unreadable", "%d files or folders can't be looked at: give the user of the daemon the right to read them", p.skipped)
	}
}
