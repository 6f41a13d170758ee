package triggers

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

// Limits of a rate. The latest firings are kept in memory, as many as it allows.
const (
	maxRate    = 10_000
	maxRatePer = 366 * 24 * time.Hour
)

// String is the rate as it is written in a spec; empty when all is allowed.
func (r Rate) String() string {
	if r.N == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%s", r.N, r.Per)
}

// parseRate reads N/DURATION, such as 60/1h.
func parseRate(text string) (Rate, error) {
	count, per, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(count, 10, 63)
	d, wrong := graph.ParseDuration(per)
	switch {
	case err != nil || wrong != nil:
		return Rate{}, fmt.Errorf("%s is not a rate; write for example 60/1h: at most 60 firings in any hour", show(text))
	case n < 1 || n > maxRate:
		return Rate{}, fmt.Errorf("must allow between 1 and %d firings, not %d", maxRate, n)
	case d < time.Second || d > maxRatePer:
		return Rate{}, fmt.Errorf("must be about a time between 1s and 366d, not %s", d)
	}
	return Rate{N: int(n), Per: d}, nil
}

// rate reads how many firings a time may have, such as 60/1h; all by default.
func (f *Fields) rate(field string) Rate {
	v, given := f.take(field)
	if !given {
		f.settle(field, nil, false)
		return Rate{}
	}
	text, ok := v.(string)
	if !ok {
		f.Refuse(field, graph.CodeWrongType, "must be text such as 60/1h, not %s", describe(v))
		return Rate{}
	}
	r, err := parseRate(text)
	if err != nil {
		f.Refuse(field, graph.CodeBadValue, "%v", err)
		return Rate{}
	}
	f.settle(field, r.String(), true)
	return r
}
