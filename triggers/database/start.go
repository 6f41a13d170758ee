package database

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
)

// begin is where a trigger begins.
func (s *source) begin(ctx context.Context, r *reading, now time.Time) (frontier, error) {
	switch s.start {
	case "now":
		return begin(ctx, r, now, s.reach(r.l))
	case "beginning":
		return frontier{}, nil
	}
	order, err := r.l.startAt(s.start)
	if err != nil {
		return frontier{}, err
	}
	return frontier{Floor: &position{Order: order}}, nil
}

// startAt reads the value of the cursor columns to begin at.
func (l *layout) startAt(start any) ([]atom, error) {
	values, many := start.([]any)
	if !many {
		values = []any{start}
	}
	var wrong refusals
	if len(values) != len(l.order) {
		wrong.add("start", graph.CodeBadValue, "has %d values and there are %d cursor columns: give one for each, in a list", len(values), len(l.order))
		return nil, wrong.err()
	}
	order := make([]atom, len(values))
	for i, v := range values {
		c := l.columns[l.order[i]]
		value, err := c.begins(v)
		if err != nil {
			wrong.add("start", graph.CodeBadValue, "%s is of type %s: %v", c.name, c.typ, err)
		}
		order[i] = atom{value}
	}
	return order, wrong.err()
}

// begins makes a value of a column of what stands in a spec.
func (c column) begins(v any) (any, error) {
	text, isText := v.(string)
	switch {
	case c.class == classInteger && !isText:
		if n, ok := v.(int64); ok {
			return n, nil
		}
		return nil, fmt.Errorf("give a whole number, not %v", v)
	case c.class == classInteger:
		return nil, fmt.Errorf("give a whole number, now or beginning, not %q", text)
	case c.class == classInstant && isText:
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fmt.Errorf("%q is not an instant such as 2026-03-01T12:00:00Z", text)
		}
		return at, nil
	case c.class == classWall && isText:
		at, err := time.Parse("2006-01-02T15:04:05.999999999", strings.Replace(text, " ", "T", 1))
		if err != nil {
			return nil, fmt.Errorf("%q is not a date and time such as 2026-03-01T12:00:00", text)
		}
		return wall{at}, nil
	case c.class == classDecimal && isText:
		return decimal(text), nil
	case isText:
		return text, nil
	}
	switch v := v.(type) {
	case int64, float64, bool:
		if c.class == classDecimal {
			return decimal(fmt.Sprint(v)), nil
		}
		return v, nil
	}
	return nil, fmt.Errorf("a value of it can't be given as %v", v)
}
