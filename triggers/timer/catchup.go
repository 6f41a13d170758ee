package timer

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// What becomes of instants that nobody saw.
const (
	catchUpNone = "none"
	catchUpLast = "last"
	catchUpAll  = "all"

	// inTime is how late a tick may be that is not to be caught up with: a restart, or
	// a busy machine, is no downtime.
	inTime = time.Minute
)

// policy says what becomes of instants that nobody saw.
type policy struct {
	catchUp string
	window  time.Duration
	grace   time.Duration // a tick that is no later was not missed; at most window
	most    int64         // with catchUpAll: how many may wait
}

// tick is an instant that is run.
type tick struct {
	at     time.Time
	missed int64 // instants before it that it stands for
}

// left are instants that are not run: how many, and the last of them.
type left struct {
	n  int64
	at time.Time
}

// span is a stretch of time that somebody looks at now.
type span struct {
	last time.Time // up to here ticks were made
	high time.Time // up to here instants are accounted for: last, or later when the clock was set back
	end  time.Time // instants after this are not due
	now  time.Time
}

// due says what has become due in a span. room is how many ticks may still wait. It
// is pure.
func (p policy) due(s schedule, in span, room int64) ([]tick, left) {
	newest := tail(s, in.last, in.end, 1)
	if len(newest) == 0 {
		return nil, left{}
	}
	at := newest[0]
	unseen := s.count(later(in.last, in.high), in.end)
	switch p.catchUp {
	case catchUpAll:
		from := later(in.last, in.now.Add(-p.window-time.Microsecond))
		run := tail(s, from, in.end, min(p.most, room))
		ticks := make([]tick, len(run))
		for i, t := range run {
			ticks[i].at = t
		}
		l := left{n: max(0, unseen-int64(len(run))), at: at}
		if len(run) > 0 && l.n > 0 {
			l.at = tail(s, in.last, run[0].Add(-time.Microsecond), 1)[0]
		}
		return ticks, l
	case catchUpNone:
		if in.now.Sub(at) > p.grace {
			return nil, left{n: max(1, unseen), at: at}
		}
		l := left{n: max(0, unseen-1)}
		if l.n > 0 {
			l.at = tail(s, in.last, at.Add(-time.Microsecond), 1)[0]
		}
		return []tick{{at: at}}, l
	}
	return []tick{{at, max(0, unseen-1)}}, left{}
}

// jitter spreads the ticks of many triggers. How long a tick waits depends on the name
// of the trigger and on the instant only.
type jitter struct {
	most time.Duration
	name string
}

// of is how long the tick of an instant waits. No tick overtakes another.
func (j jitter) of(s schedule, at time.Time) time.Duration {
	if j.most == 0 {
		return 0
	}
	most := j.most
	if next := s.next(at); !next.IsZero() {
		most = min(most, next.Sub(at))
	}
	sum := sha256.Sum256([]byte(j.name + " " + at.UTC().Format(instant)))
	return time.Duration(binary.BigEndian.Uint64(sum[:8])%uint64(max(1, most.Microseconds()))) * time.Microsecond
}

// horizon is up to when instants are due now, and when the next one will be; zero:
// there is none.
func (j jitter) horizon(s schedule, last, now time.Time) (end, wake time.Time) {
	end = now
	next := s.next(last)
	if !next.IsZero() && !next.After(now) {
		next = s.next(now)
		if j.most > 0 {
			if newest := tail(s, last, now, 1)[0]; newest.Add(j.of(s, newest)).After(now) {
				end, next = newest.Add(-time.Microsecond), newest
			}
		}
	}
	if !next.IsZero() {
		wake = next.Add(j.of(s, next))
	}
	return end, wake
}
