package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latticed/latticed/api/client"
)

// at shows an instant in the reader's zone.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// took shows how long something ran or has run.
func took(from, to time.Time) string {
	if from.IsZero() {
		return "-"
	}
	if to.IsZero() {
		to = time.Now()
	}
	d := to.Sub(from)
	switch {
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// short shows a JSON value in a table.
func short(raw json.RawMessage, width int) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return ""
	}
	return cut(b.String(), width)
}

// cut shortens text to a width; of a path the end is kept, which tells more.
func cut(s string, width int) string {
	r := []rune(s)
	switch {
	case len(r) <= width:
		return s
	case r[0] == '/':
		return "…" + string(r[len(r)-width+1:])
	}
	return string(r[:width-1]) + "…"
}

const pairWidth = 24 // of a value, where not all have room

// pairs shows an object as key=value, those that are said to come first before the
// others.
func pairs(raw json.RawMessage, width int, first func(key string, v json.RawMessage) bool) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || len(m) == 0 {
		return "-"
	}
	keys := sortedKeys(m)
	if first != nil {
		later := func(k string) int {
			if first(k, m[k]) {
				return 0
			}
			return 1
		}
		slices.SortStableFunc(keys, func(a, b string) int { return later(a) - later(b) })
	}
	parts := func(most int) string {
		said := make([]string, len(keys))
		for i, k := range keys {
			v := string(m[k])
			var s string
			if json.Unmarshal(m[k], &s) == nil {
				v = s
			}
			said[i] = k + "=" + cut(v, most)
		}
		return strings.Join(said, " ")
	}
	all := parts(width)
	if len([]rune(all)) > width && len(keys) > 1 {
		all = parts(pairWidth)
	}
	return cut(all, width)
}

// state shows a status with what holds it.
func state(status string, reason *string, w *client.Waiting) string {
	switch {
	case w != nil && w.Detail != "":
		return fmt.Sprintf("%s (%s: %s)", status, w.Code, w.Detail)
	case w != nil:
		return fmt.Sprintf("%s (%s)", status, w.Code)
	case text(reason) != "":
		return fmt.Sprintf("%s (%s)", status, *reason)
	}
	return status
}

// brief is state without the details, for tables.
func brief(status string, reason *string, w *client.Waiting) string {
	if w != nil {
		return fmt.Sprintf("%s (%s)", status, w.Code)
	}
	return state(status, reason, nil)
}

// bytesOf shows an amount of bytes.
func bytesOf(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n), -1
	for v >= unit && i < 4 {
		v /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[i])
}
