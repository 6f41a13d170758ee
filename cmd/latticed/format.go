package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// at shows an instant in the reader's zone.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

var utcInstant = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b`) })

// here shows the instants in what the daemon says in the reader's zone, like all others.
func here(text string) string {
	return utcInstant().ReplaceAllStringFunc(text, func(s string) string {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return s
		}
		return at(t)
	})
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
		return graph.Span(d.Round(time.Second))
	}
	return graph.Span(d.Round(time.Minute))
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
	if len(r) <= width || r[0] != '/' {
		return begin(s, width)
	}
	end := string(r[len(r)-width+1:])
	if name := strings.IndexByte(end, '/'); name >= 0 {
		end = end[name:]
	}
	return "…" + end
}

// begin shortens a sentence to a width, also one that begins with a path.
func begin(s string, width int) string {
	if cells(s) > width {
		return head(s, width-1) + "…"
	}
	return s
}

const pairWidth = 24 // of each value, where not all have room

// pairs shows an object as key=value, what is said to matter before the rest. Where
// there is no room for all, the rest is left out, and long values are cut.
func pairs(raw json.RawMessage, width int, matters func(key string, v json.RawMessage) bool) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || len(m) == 0 {
		return "-"
	}
	var keys, rest []string
	for _, k := range sortedKeys(m) {
		if matters == nil || matters(k, m[k]) {
			keys = append(keys, k)
		} else {
			rest = append(rest, k)
		}
	}
	all := append(slices.Clone(keys), rest...)
	said := valued(m, all, width)
	if len([]rune(said)) <= width {
		return said
	}
	more := ""
	if len(keys) > 0 && len(rest) > 0 {
		all, more = keys, " …"
		said = valued(m, all, width) + more
	}
	if len([]rune(said)) > width {
		most := pairWidth
		if len(all) == 1 {
			most = max(most, width-len(all[0]+"="+more))
		}
		said = valued(m, all, most) + more
	}
	return cut(said, width)
}

// valued writes key=value, each value up to a width.
func valued(m map[string]json.RawMessage, keys []string, most int) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		v := string(m[k])
		var s string
		if json.Unmarshal(m[k], &s) == nil {
			v = s
		}
		parts[i] = k + "=" + cut(v, most)
	}
	return strings.Join(parts, " ")
}

// state shows a status with what holds it.
func state(status string, reason *string, w *client.Waiting) string {
	switch {
	case w != nil && w.Detail != "":
		return fmt.Sprintf("%s (%s: %s)", status, w.Code, oneLine(here(w.Detail)))
	case w != nil:
		return fmt.Sprintf("%s (%s)", status, w.Code)
	case text(reason) != "" && *reason != status: // cancelled says it all
		return fmt.Sprintf("%s (%s)", status, oneLine(here(*reason)))
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

const (
	terminalWidth = 80 // where the reason of a trigger is broken into lines
	columnGap     = 2  // of every table
)

// wrapped breaks the reasons among rows of two cells into lines, where a person reads.
func (c *cli) wrapped(rows [][]string) [][]string {
	if f, ok := c.stdout.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return rows
	}
	return wrap(rows, terminalWidth)
}

// wrap breaks reasons between words, so that a table of two columns has some width.
func wrap(rows [][]string, width int) [][]string {
	room := width
	for _, row := range rows {
		room = min(room, width-cells(row[0])-columnGap)
	}
	all := make([][]string, 0, len(rows))
	for _, row := range rows {
		if strings.TrimSpace(row[0]) != keyReason {
			all = append(all, row)
			continue
		}
		name := row[0]
		for _, line := range lines(oneLine(row[1]), room) {
			all = append(all, []string{name, line})
			name = ""
		}
	}
	return all
}

// lines breaks a sentence between words; a longer word has a line of its own.
func lines(s string, width int) (all []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case cells(line)+1+cells(word) <= width:
			line += " " + word
		default:
			all = append(all, line)
			line = word
		}
	}
	return append(all, line)
}
