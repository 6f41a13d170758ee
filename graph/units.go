package graph

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxDuration keeps sums of durations far from overflow.
const maxDuration = 100 * 365 * 24 * time.Hour

// ParseDuration reads a duration as people write it everywhere in latticed: text
// ("30s", "1h30m", "7d", "1.5h"; the units are ns us ms s m h d w) or a number of
// seconds. It is never negative.
func ParseDuration(v any) (time.Duration, error) {
	switch v := v.(type) {
	case int64:
		return secondsDuration(float64(v))
	case int:
		return secondsDuration(float64(v))
	case float64:
		return secondsDuration(v)
	case string:
		return parseDurationText(v)
	case nil, bool:
	}
	return 0, fmt.Errorf("a duration is text such as 30s, 10m or 1h30m, or a number of seconds, not %s", describe(v))
}

// DurationWithUnit is ParseDuration for text that stands alone, as behind a flag: 90 means
// seconds to one and days to another there, so a number has to name its unit.
func DurationWithUnit(text string) (time.Duration, error) {
	if n := strings.TrimSpace(text); bare(n) {
		return 0, &UnitError{Number: n, Units: [3]string{"d", "h", "s"}}
	}
	return parseDurationText(text)
}

// SizeWithUnit is ParseSize for text that stands alone; bytes are 90B.
func SizeWithUnit(text string) (int64, error) {
	if n := strings.TrimSpace(text); bare(n) {
		return 0, &UnitError{Number: n, Units: [3]string{"GiB", "MB", "B"}}
	}
	return parseSizeText(text)
}

// UnitError tells of a number without its unit.
type UnitError struct {
	Number string
	Units  [3]string // some that it may have
}

func (e *UnitError) Error() string {
	n, u := e.Number, e.Units
	return fmt.Sprintf("%s what? Write for example %s%s, %s%s or %s%s", n, n, u[0], n, u[1], n, u[2])
}

// Span writes a duration as people do: 26h and 10m, not 26h0m0s and 10m0s.
func Span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// bare tells a number without its unit; nothing is nothing in any.
func bare(text string) bool {
	n, err := strconv.ParseFloat(text, 64)
	return err == nil && n != 0 && strings.Trim(text, "0123456789.") == ""
}

func secondsDuration(s float64) (time.Duration, error) {
	switch {
	case math.IsNaN(s) || s < 0:
		return 0, errors.New("a duration can't be negative")
	case s > maxDuration.Seconds():
		return 0, errors.New("a duration can't be longer than 100 years")
	}
	return time.Duration(math.Round(s * float64(time.Second))), nil
}

func parseDurationText(text string) (time.Duration, error) {
	s := strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(s, 64); err == nil && strings.Trim(s, "0123456789.") == "" {
		return secondsDuration(n)
	}
	bad := fmt.Errorf("%s is not a duration; write for example 30s, 10m, 1h30m or 7d", quote(text))
	if s == "" {
		return 0, bad
	}
	var total float64
	for s != "" {
		i := len(s) - len(strings.TrimLeft(s, "0123456789."))
		n, err := strconv.ParseFloat(s[:i], 64)
		if err != nil {
			return 0, bad
		}
		s = s[i:]
		j := strings.IndexAny(s, "0123456789. ")
		if j < 0 {
			j = len(s)
		}
		unit, ok := durationUnit(s[:j])
		if !ok {
			return 0, bad
		}
		total += n * unit
		s = s[j:]
	}
	return secondsDuration(total)
}

// durationUnit returns how many seconds a unit has.
func durationUnit(u string) (float64, bool) {
	switch u {
	case "ns":
		return 1e-9, true
	case "us", "µs":
		return 1e-6, true
	case "ms":
		return 1e-3, true
	case "s":
		return 1, true
	case "m", "min":
		return 60, true
	case "h":
		return 3600, true
	case "d":
		return 86400, true
	case "w":
		return 7 * 86400, true
	}
	return 0, false
}

// ParseSize reads an amount of memory or storage: a number of bytes, or text such
// as 512MB (1000s) or 4GiB (1024s).
func ParseSize(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return byteSize(float64(v))
	case int:
		return byteSize(float64(v))
	case float64:
		return byteSize(v)
	case string:
		return parseSizeText(v)
	case nil, bool:
	}
	return 0, fmt.Errorf("a size is text such as 512MB or 4GiB, or a number of bytes, not %s", describe(v))
}

func byteSize(n float64) (int64, error) {
	switch {
	case math.IsNaN(n) || n < 0:
		return 0, errors.New("a size can't be negative")
	case n > 1<<60:
		return 0, errors.New("a size can't be larger than 1 EiB")
	}
	return int64(math.Round(n)), nil
}

func parseSizeText(text string) (int64, error) {
	s := strings.TrimSpace(text)
	i := len(s) - len(strings.TrimLeft(s, "0123456789."))
	n, err := strconv.ParseFloat(s[:i], 64)
	unit, ok := sizeUnit(strings.TrimSpace(s[i:]))
	if err != nil || !ok {
		return 0, fmt.Errorf("%s is not a size; write for example 512MB or 4GiB", quote(text))
	}
	return byteSize(n * unit)
}

// sizeUnit returns how many bytes a unit has. K, M, G, T alone are 1024s, as in
// Slurm and systemd.
func sizeUnit(u string) (float64, bool) {
	switch strings.ToLower(u) {
	case "", "b":
		return 1, true
	}
	exponent := strings.IndexByte("kmgtp", strings.ToLower(u)[0]) + 1
	if exponent == 0 {
		return 0, false
	}
	switch strings.ToLower(u[1:]) {
	case "", "i", "ib":
		return math.Pow(1024, float64(exponent)), true
	case "b":
		return math.Pow(1000, float64(exponent)), true
	}
	return 0, false
}

// quote shows text inside a message: in quotes, and cut when long.
func quote(s string) string {
	const longest = 60
	if short := cut(s, longest); short != s {
		return strconv.Quote(strings.TrimSuffix(short, "…")) + "…"
	}
	return strconv.Quote(s)
}

// cut takes away what is beyond so many characters.
func cut(s string, characters int) string {
	for i := range s {
		if characters == 0 {
			return s[:i] + "…"
		}
		characters--
	}
	return s
}

// describe names the type of a JSON value for people.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case int64, int, float64:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return fmt.Sprintf("%T", v)
}
