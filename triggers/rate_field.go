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
	return fmt.Sprintf("%d/%s", r.N, graph.Span(r.Per))
}

// parseRate reads N/DURATION, such as 60/1h, of something.
func parseRate(text, of string) (Rate, error) {
	count, per, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(count, 10, 63)
	d, wrong := graph.ParseDuration(per)
	switch {
	case err != nil || wrong != nil:
		return Rate{}, fmt.Errorf("%s is not a rate; write for example 60/1h: at most 60 %s in any hour", show(text), of)
	case n < 1 || n > maxRate:
		return Rate{}, fmt.Errorf("must allow between 1 and %d %s, not %d", maxRate, of, n)
	case d < time.Second || d > maxRatePer:
		return Rate{}, fmt.Errorf("must be about a time between 1s and 366d, not %s", graph.Span(d))
	}
	return Rate{N: int(n), Per: d}, nil
}

// rate reads how many firings a time may have; all by default.
func (f *Fields) rate(field string) Rate { return f.Rate(field, "firings", Rate{}) }

// Rate reads how many of something a time may have, such as 60/1h. By default the zero
// Rate is all.
func (f *Fields) Rate(field, of string, byDefault Rate) Rate {
	v, given := f.take(field)
	if !given && byDefault.N == 0 {
		f.settle(field, nil, false)
		return Rate{}
	}
	if !given {
		f.settle(field, byDefault.String(), false)
		return byDefault
	}
	text, ok := v.(string)
	if !ok {
		f.Refuse(field, graph.CodeWrongType, "must be text such as 60/1h, not %s", describe(v))
		return byDefault
	}
	r, err := parseRate(text, of)
	if err != nil {
		f.Refuse(field, graph.CodeBadValue, "%v", err)
		return byDefault
	}
	f.settle(field, r.String(), true)
	return r
}
