package main

import (
	"context"
	"fmt"
	"time"

	"github.com/latticed/latticed/api"
	"github.com/latticed/latticed/store"
)

const (
	certificateNear = 30 * 24 * time.Hour // its end
	tokenNear       = 14 * 24 * time.Hour
	tokenUnused     = 90 * 24 * time.Hour
)

// checkCertificate looks how long clients will believe the doors, which share a
// certificate.
func checkCertificate(doors []*api.Door, now time.Time) api.Check {
	const name, remedy = "certificate", "put a new one in the place of the files: it is taken while the daemon runs"
	for _, d := range doors {
		c, ok := d.Certificate()
		if !ok {
			continue
		}
		left := c.NotAfter.Sub(now)
		said := fmt.Sprintf("%s ends at %s", c.Files[0], c.NotAfter.UTC().Format("2006-01-02 15:04:05 UTC"))
		switch {
		case left <= 0:
			return wrong(name, said+": it has ended, and no client comes in that looks at it", remedy)
		case c.NotBefore.After(now):
			return wrong(name, fmt.Sprintf("%s begins only at %s", c.Files[0], c.NotBefore.UTC().Format("2006-01-02 15:04:05 UTC")), "is the clock right? Else "+remedy)
		case c.Trouble != nil:
			return wrong(name, fmt.Sprintf("%s and %s can't be used: %v; the one before is in use until the daemon is restarted, and ends at %s",
				c.Files[0], c.Files[1], c.Trouble, c.NotAfter.UTC().Format("2006-01-02")), "put a pair there that fits; without one it does not start again")
		case left < certificateNear:
			return warn(name, fmt.Sprintf("%s, in %s", said, days(left)), remedy)
		case c.Chain != nil:
			return warn(name, said+"; "+c.Chain.Error(), "the certificate comes first in the file, then each that has signed the one before")
		}
		return well(name, fmt.Sprintf("%s, in %s", said, days(left)))
	}
	return well(name, "none is in use")
}

// days is a span for people.
func days(d time.Duration) string { return count(int(d/(24*time.Hour)), "day") }

// tokenAges are the names of tokens that somebody should look at.
type tokenAges struct {
	all            int
	ending, unused []string
}

// tokenAges looks at those that let somebody in.
func (d *daemon) tokenAges(ctx context.Context, now time.Time) (a tokenAges, err error) {
	for f := (store.TokenFilter{Limit: 500}); ; {
		page, next, err := d.store.Tokens(ctx, f)
		if err != nil {
			return a, err
		}
		for _, k := range page {
			a.all++
			last := k.LastUsedAt
			if last.IsZero() {
				last = k.CreatedAt
			}
			switch life := k.ExpiresAt.Sub(k.CreatedAt); {
			// One for a few days is near its end from the beginning.
			case !k.ExpiresAt.IsZero() && k.ExpiresAt.Sub(now) < min(tokenNear, life/4):
				a.ending = append(a.ending, fmt.Sprintf("%s (%s)", k.Name, k.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC")))
			case now.Sub(last) > tokenUnused:
				a.unused = append(a.unused, fmt.Sprintf("%s (%s)", k.Name, last.UTC().Format("2006-01-02")))
			}
		}
		if f.After = next; next == "" {
			return a, nil
		}
	}
}

func (d *daemon) checkTokens(ctx context.Context, now time.Time) api.Check {
	const name = "tokens"
	a, err := d.tokenAges(ctx, now)
	switch {
	case err != nil:
		return wrong(name, err.Error(), "see the check of the database")
	case len(a.ending) > 0:
		return warn(name, "they end soon: "+some(a.ending), "hand out new ones: latticed token create NAME --role ROLE")
	case len(a.unused) > 0:
		return warn(name, fmt.Sprintf("nobody has used them for %s: %s", days(tokenUnused), some(a.unused)), "if nobody needs them: latticed token revoke NAME")
	}
	return well(name, fmt.Sprintf("%d, none of them near its end or forgotten", a.all))
}

// collectDoors tells what an admin wants to know in time of those who come over TCP.
func (d *daemon) collectDoors(m meter) {
	for _, door := range d.doors {
		c, ok := door.Certificate()
		if !ok {
			continue
		}
		stale := 0.0
		if c.Trouble != nil {
			stale = 1
		}
		m.gauge("latticed_tls_not_after_seconds", "When the certificate ends, in seconds since 1970.", float64(c.NotAfter.Unix()), nil)
		m.gauge("latticed_tls_stale", "Whether the files of the certificate can't be used, and the one before is.", stale, nil)
		break // they share it
	}
	ctx, cancel := context.WithTimeout(context.Background(), gaugesLimit)
	defer cancel()
	a, err := d.tokenAges(ctx, time.Now())
	if err != nil {
		d.log.Warn().Err(err).Msg("tokens can't be counted")
		return
	}
	m.gauge("latticed_tokens", "Tokens that let somebody in.", float64(a.all), nil)
	m.gauge("latticed_tokens_ending", "Of them, those that end within 14 days.", float64(len(a.ending)), nil)
	m.gauge("latticed_tokens_unused", "Of them, those that nobody has used for 90 days.", float64(len(a.unused)), nil)
}
