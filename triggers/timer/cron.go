package timer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	robfig "github.com/robfig/cron/v3"

	"github.com/latticed/latticed/graph"
)

// field is one of the fields of a cron expression.
type field struct {
	name  string
	low   int
	high  int
	names []string // of low, low+1 …
}

var fields = [...]field{
	{"second", 0, 59, nil},
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"weekday", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

const (
	hourField    = 2
	weekdayField = 5

	longestCron = 1000
	everyPrefix = "@every "
)

var descriptors = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@every"}

// part is one of the things that commas separate in a field.
var part = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:([*?])|([0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?)(?:/([0-9]+))?$`)
})

// parseCron reads a cron expression: five fields, six with seconds first, or one of
// the descriptors but @every. The errors are for people.
func parseCron(text string) (c calendar, fixedHours bool, err error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return c, false, errors.New("is empty; write for example 0 2 * * * for 02:00 each day")
	case len(text) > longestCron:
		return c, false, fmt.Errorf("may have %d characters at most", longestCron)
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return c, false, errors.New("the zone has a field of its own: leave out " + strings.SplitN(text, "=", 2)[0] + "= and use timezone")
	case strings.HasPrefix(text, "@"):
		return parseDescriptor(text)
	}
	words := strings.Fields(text)
	if n := len(words); n != 5 && n != 6 {
		hint := ""
		if n == 7 {
			hint = "; there is no field for the year"
		}
		return c, false, fmt.Errorf("has five fields (minute, hour, day of the month, month, weekday), or six with the second first, not %d%s", n, hint)
	}
	skipped := len(fields) - len(words)
	for i, word := range words {
		f := &fields[i+skipped]
		if words[i], err = f.check(word); err != nil {
			return c, false, fmt.Errorf("the %s (field %d of %d) is wrong: %w", f.name, i+1, len(words), err)
		}
	}
	hours := words[hourField-skipped]
	if c, err = parseRobfig(strings.Join(words, " ")); err != nil {
		return c, false, err
	}
	if _, ok := c.first(0, horizon); !ok {
		return c, false, errors.New("never occurs: no month that it names has such a day")
	}
	return c, !strings.ContainsAny(hours, "*?/") && c.hour != 1<<24-1, nil
}

func parseDescriptor(text string) (calendar, bool, error) {
	if !slices.Contains(descriptors, text) {
		hint := ""
		if s := graph.Suggest(text, descriptors); s != "" {
			hint = "; did you mean " + s + "?"
		}
		return calendar{}, false, fmt.Errorf("%s is none of %s%s", quote(text), strings.Join(descriptors, ", "), hint)
	}
	if strings.TrimSpace(everyPrefix) == text {
		return calendar{}, false, errors.New("@every needs a duration, such as @every 10m")
	}
	c, err := parseRobfig(text)
	return c, text != "@hourly", err
}

// parseRobfig lets the parser of robfig/cron read an expression. It has panicked.
func parseRobfig(text string) (c calendar, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("is not a cron expression: %v", r)
		}
	}()
	parsed, err := robfig.NewParser(robfig.SecondOptional | robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow | robfig.Descriptor).Parse(text)
	if err != nil {
		return c, fmt.Errorf("is not a cron expression: %w", err)
	}
	s, ok := parsed.(*robfig.SpecSchedule)
	if !ok {
		return c, errors.New("is not a cron expression")
	}
	const star = uint64(1) << 63 // set by the parser where a field is a mere *
	return calendar{
		second: s.Second &^ star, minute: s.Minute &^ star, hour: s.Hour &^ star,
		monthday: s.Dom &^ star, month: s.Month &^ star, weekday: s.Dow &^ star,
		either: (s.Dom|s.Dow)&star == 0,
	}, nil
}

// check finds what is wrong with one field, and writes it as the parser likes it:
// weekdays as numbers from 0 to 6.
func (f *field) check(word string) (string, error) {
	parts := strings.Split(word, ",")
	for i, p := range parts {
		m := part().FindStringSubmatch(p)
		if m == nil {
			return "", f.misspelt(p)
		}
		low, high, step := f.low, f.high, 1
		var err error
		if m[1] == "" {
			if low, err = f.value(m[2], false); err != nil {
				return "", err
			}
			switch high = low; {
			case m[3] != "":
				if high, err = f.value(m[3], true); err != nil {
					return "", err
				}
			case m[4] != "":
				high = f.high
			}
		}
		if m[4] != "" {
			if step, err = strconv.Atoi(m[4]); err != nil || step == 0 || step > f.high {
				return "", f.badStep(m[4])
			}
		}
		if f == &fields[weekdayField] && low == f.high && high < low {
			low = 0 // Sunday
		}
		if low > high {
			return "", fmt.Errorf("%s runs backwards; write it as two ranges with a comma between them", quote(p))
		}
		if m[1] == "" && f == &fields[weekdayField] {
			parts[i] = weekdays(low, high, step)
		}
	}
	return strings.Join(parts, ","), nil
}

// value reads a number or a name. As the end of a range Sunday is 7.
func (f *field) value(text string, end bool) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		if i == 0 && end && f == &fields[weekdayField] {
			i = f.high
		}
		return i + f.low, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, f.misspelt(text)
	case n < f.low || n > f.high:
		return 0, fmt.Errorf("must be between %d and %d, not %d", f.low, f.high, n)
	}
	return n, nil
}

func (f *field) misspelt(text string) error {
	if text == "" {
		return errors.New("there is nothing beside a comma")
	}
	hint := ""
	switch s := graph.Suggest(strings.ToLower(text), f.names); {
	case s != "":
		hint = "; did you mean " + s + "?"
	case strings.ContainsAny(strings.ToUpper(text), "LW#"):
		hint = "; L, W and # are not supported"
	}
	return fmt.Errorf("%s is not understood%s; write a number from %d to %d, a range such as %d-%d, a list with commas, * or a step such as */%d",
		quote(text), hint, f.low, f.high, f.low, f.low+2, 2)
}

func (f *field) badStep(step string) error {
	hint := ""
	if f.name == "minute" || f.name == "second" || f.name == "hour" {
		hint = "; for every " + step + " " + f.name + "s use every instead of cron"
	}
	return fmt.Errorf("a step must be between 1 and %d, not %s%s", f.high, step, hint)
}

// weekdays lists the days of a range as numbers from 0, which is Sunday, to 6.
func weekdays(low, high, step int) string {
	var days []string
	for d := low; d <= high; d += step {
		if n := strconv.Itoa(d % 7); !slices.Contains(days, n) {
			days = append(days, n)
		}
	}
	return strings.Join(days, ",")
}

// quote puts a text into a message, cut when long.
func quote(text string) string {
	const longest = 60
	if r := []rune(text); len(r) > longest {
		return fmt.Sprintf("%q…", string(r[:longest]))
	}
	return fmt.Sprintf("%q", text)
}

// inZone hangs a calendar on the wall of a zone.
func (c calendar) inZone(zone *time.Location, rule dst, fixedHours bool) *cron {
	if !fixedHours {
		if rule.fold = foldBoth; rule.gap != gapSkip {
			rule.gap = gapElapsed
		}
	}
	return &cron{calendar: c, zone: zone, dst: rule}
}
