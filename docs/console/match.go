package console

import (
	"regexp"
	"strings"
)

// varying are the parts of an output that differ from run to run. Instants before 2026
// do not: nothing ran then, so a page that shows them means them.
var varying = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "SHA256"},
	{regexp.MustCompile(`\b((Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?` + year + `-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d| [A-Z]{2,5})?\b`), "INSTANT"},
	{regexp.MustCompile(`\b` + year + `-\d\d-\d\d\b`), "DAY"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|m?s) ago\b`), "TIME ago"},
	{regexp.MustCompile(`\b(for|in) (\d+m)?\d+(\.\d+)? ?m?s\b`), "$1 TIME"},
	{regexp.MustCompile(`\b\d+\.\d+(s|ms)\b|\b\d+(µs|ms)\b|\b0s\b`), "TIME"},
	{regexp.MustCompile(`(  )(\d+m)?\d+s( |$)`), "${1}TIME$3"}, // in a table
	{regexp.MustCompile(`"(cpu_s|wall_s|lag_s|max_rss_bytes)": ?[0-9.]+`), `"$1": NUMBER`},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// year is one that the clock of a run may show.
const year = `20(2[6-9]|[3-9]\d)`

// Match tells whether a command printed what the page says.
func Match(want []string, got string) bool {
	var lines []string
	if got = strings.TrimSpace(got); got != "" {
		lines = strings.Split(got, "\n")
	}
	for len(want) > 0 && strings.TrimSpace(want[len(want)-1]) == "" {
		want = want[:len(want)-1]
	}
	return matchLines(normalise(want), normalise(lines))
}

func matchLines(want, got []string) bool {
	for len(want) > 0 {
		if want[0] == "..." {
			for skip := range len(got) + 1 {
				if matchLines(want[1:], got[skip:]) {
					return true
				}
			}
			return false
		}
		if len(got) == 0 || !matchLine(want[0], got[0]) {
			return false
		}
		want, got = want[1:], got[1:]
	}
	return len(got) == 0
}

func matchLine(want, got string) bool {
	parts := strings.Split(want, "...")
	if len(parts) == 1 {
		return want == got
	}
	if !strings.HasPrefix(got, parts[0]) {
		return false
	}
	got = got[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(got, part)
		if !found {
			return false
		}
		got = rest
	}
	return strings.HasSuffix(got, parts[len(parts)-1])
}

func normalise(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		for _, v := range varying {
			line = v.pattern.ReplaceAllString(line, v.word)
		}
		out[i] = strings.TrimSpace(line)
	}
	return out
}
