package timer

import (
	"strings"
	"testing"
	"time"
)

func TestParseCron(t *testing.T) {
	utc := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	from := utc("2026-11-20T12:00:00Z") // a Friday
	for text, want := range map[string]string{
		"* * * * *":               "2026-11-20T12:01:00Z",
		"*/5 * * * * *":           "2026-11-20T12:00:05Z",
		"30 0 12 * * *":           "2026-11-20T12:00:30Z",
		"  0   2 * * *  ":         "2026-11-21T02:00:00Z",
		"0 2 * * 7":               "2026-11-22T02:00:00Z",
		"0 2 * * 0":               "2026-11-22T02:00:00Z",
		"0 2 * * SUN":             "2026-11-22T02:00:00Z",
		"0 2 * * 6-7":             "2026-11-21T02:00:00Z",
		"0 2 * * sat-sun":         "2026-11-21T02:00:00Z",
		"0 2 * * 7-1":             "2026-11-22T02:00:00Z",
		"0 2 * * 7,3":             "2026-11-22T02:00:00Z",
		"0 2 * * 1-7/3":           "2026-11-22T02:00:00Z",
		"0 2 1 jan ?":             "2027-01-01T02:00:00Z",
		"0 0 29 2 *":              "2028-02-29T00:00:00Z",
		"0 0 13 * fri":            "2026-11-27T00:00:00Z", // either of the two
		"59 23 31 12 *":           "2026-12-31T23:59:00Z",
		"0 0 31 * *":              "2026-12-31T00:00:00Z",
		"0 0 1 1/3 *":             "2027-01-01T00:00:00Z",
		"@hourly":                 "2026-11-20T13:00:00Z",
		"@daily":                  "2026-11-21T00:00:00Z",
		"@midnight":               "2026-11-21T00:00:00Z",
		"@weekly":                 "2026-11-22T00:00:00Z",
		"@monthly":                "2026-12-01T00:00:00Z",
		"@yearly":                 "2027-01-01T00:00:00Z",
		"@annually":               "2027-01-01T00:00:00Z",
		"0 12 * * *":              "2026-11-21T12:00:00Z", // later than now, not now
		"0 0-23/6,13 * * *":       "2026-11-20T13:00:00Z",
		"15,45 8-18 * * mon-fri":  "2026-11-20T12:15:00Z",
		"0 0 28-31 feb,apr mon/9": "",
	} {
		c, fixed, err := parseCron(text)
		if want == "" {
			if err == nil {
				t.Errorf("%s is taken", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.inZone(time.UTC, dst{gapShift, foldFirst}, fixed).next(from); !got.Equal(utc(want)) {
			t.Errorf("%s: next at %s, want %s", text, got.UTC(), want)
		}
	}
}

func TestParseCron_tells_fixed_hours_from_wildcards(t *testing.T) {
	for text, want := range map[string]bool{
		"0 2 * * *": true, "0 8-18 * * *": true, "0 0,12 * * *": true, "*/5 3 * * *": true, "@daily": true, "@weekly": true,
		"0 * * * *": false, "0 */2 * * *": false, "0 8-18/2 * * *": false, "0 ? * * *": false, "0 0-23 * * *": false, "0 1/5 * * *": false, "@hourly": false, "0 0 * * * *": false,
	} {
		if _, fixed, err := parseCron(text); err != nil || fixed != want {
			t.Errorf("%s: fixed %v, %v", text, fixed, err)
		}
	}
}

// Which texts the parser of the library would panic at, take for something else, or
// answer without saying where the mistake is.
func TestParseCron_says_which_field_is_wrong_and_how(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `is empty; write for example 0 2 * * * for 02:00 each day`,
		"TZ=":                              `the zone has a field of its own: leave out TZ= and use timezone`,
		"TZ=Europe/Berlin 0 2 * * *":       `leave out TZ= and use timezone`,
		"CRON_TZ=Europe/Berlin":            `leave out CRON_TZ= and use timezone`,
		"0 2 * *":                          `has five fields (minute, hour, day of the month, month, weekday), or six with the second first, not 4`,
		"0 0 2 * * * 2026":                 `not 7; there is no field for the year`,
		"60 2 * * *":                       `the minute (field 1 of 5) is wrong: must be between 0 and 59, not 60`,
		"0 24 * * *":                       `the hour (field 2 of 5) is wrong: must be between 0 and 23, not 24`,
		"0 0 24 * * *":                     `the hour (field 3 of 6) is wrong: must be between 0 and 23, not 24`,
		"0 2 0 * *":                        `the day of the month (field 3 of 5) is wrong: must be between 1 and 31, not 0`,
		"0 2 * 13 *":                       `the month (field 4 of 5) is wrong: must be between 1 and 12, not 13`,
		"0 2 * juny *":                     `the month (field 4 of 5) is wrong: "juny" is not understood; did you mean jun?`,
		"0 2 * * 8":                        `the weekday (field 5 of 5) is wrong: must be between 0 and 7, not 8`,
		"0 2 * * fri-mon":                  `the weekday (field 5 of 5) is wrong: "fri-mon" runs backwards; write it as two ranges with a comma between them`,
		"0 22-4 * * *":                     `the hour (field 2 of 5) is wrong: "22-4" runs backwards`,
		"0 2 L * *":                        `the day of the month (field 3 of 5) is wrong: "L" is not understood; L, W and # are not supported`,
		"0 2 * * 5#3":                      `the weekday (field 5 of 5) is wrong: "5#3" is not understood; L, W and # are not supported`,
		"0,, 2 * * *":                      `the minute (field 1 of 5) is wrong: there is nothing beside a comma`,
		"*/90 * * * *":                     `the minute (field 1 of 5) is wrong: a step must be between 1 and 59, not 90; for every 90 minutes use every instead of cron`,
		"*/0 * * * *":                      `a step must be between 1 and 59, not 0`,
		"0 */99999999999999999999 * * *":   `the hour (field 2 of 5) is wrong: a step must be between 1 and 23`,
		"*-5 * * * *":                      `the minute (field 1 of 5) is wrong: "*-5" is not understood; write a number from 0 to 59, a range such as 0-2, a list with commas, * or a step such as */2`,
		"1-2-3 * * * *":                    `"1-2-3" is not understood`,
		"+5 * * * *":                       `"+5" is not understood`,
		"0 0 30 2 *":                       `never occurs: no month that it names has such a day`,
		"0 0 31 4,6,9,11 *":                `never occurs: no month that it names has such a day`,
		"@dayly":                           `"@dayly" is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @every; did you mean @daily?`,
		"@reboot":                          `"@reboot" is none of @yearly`,
		"@every":                           `@every needs a duration, such as @every 10m`,
		strings.Repeat("0", 2000):          `may have 1000 characters at most`,
		strings.Repeat("0", 99) + " 2 * *": `has five fields`,
	} {
		if _, _, err := parseCron(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v\nwant %s", text, err, want)
		}
	}
}

func FuzzCron_never_panics_and_is_always_later(f *testing.F) {
	for _, text := range []string{"* * * * *", "TZ=", "CRON_TZ=x", "0 0 30 2 *", "@every 1s", "*/2 1-3,7 * jan-mar 5-7", "0 0 29 2 *", "59 59 23 31 12 ?", "0 */0 * * *", "@weekly"} {
		f.Add(text, int64(1_795_000_000), uint8(0), uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, at int64, zone, rule uint8) {
		c, fixed, err := parseCron(text)
		if err != nil {
			return
		}
		const far = 1 << 34 // some centuries
		from := time.Unix(at%far, at%1_000_000_000)
		loc, _ := loadZone(someZones[int(zone)%len(someZones)])
		s := c.inZone(loc, dst{[]string{gapShift, gapSkip}[rule&1], []string{foldFirst, foldLast, foldBoth}[rule/2%3]}, fixed)
		for range 20 {
			next := s.next(from)
			if next.IsZero() {
				t.Fatalf("%q never occurs after %s", text, from)
			}
			if !next.After(from) {
				t.Fatalf("%q: %s is not later than %s", text, next, from)
			}
			if n := s.count(from, next); n != 1 {
				t.Fatalf("%q: %d instants after %s up to the next one at %s", text, n, from, next)
			}
			from = next
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for name, text := range map[string]string{"minutely": "* * * * *", "nightly": "30 2 * * *", "leap_day": "0 0 29 2 *", "each_second": "* * * * * *"} {
		b.Run(name, func(b *testing.B) {
			c := cronIn(b, text, "America/New_York", dst{gapShift, foldFirst})
			at := time.Unix(1_795_000_000, 0)
			for b.Loop() {
				c.next(at)
			}
		})
	}
	b.Run("count_a_year_of_seconds", func(b *testing.B) {
		c := cronIn(b, "* * * * * *", "America/New_York", dst{gapShift, foldFirst})
		at := time.Unix(1_795_000_000, 0)
		for b.Loop() {
			tail(c, at, at.AddDate(1, 0, 0), 100)
		}
	})
}

func FuzzInstant_never_panics_and_is_what_the_clock_shows(f *testing.F) {
	for _, text := range []string{"2026-12-24T18:00:00+01:00", "2026-03-29 02:30", "2011-12-30T12:00:00", "0000-01-01 00:00", "9999-12-31T23:59:59Z"} {
		f.Add(text, uint8(0), uint8(0))
	}
	f.Add("2072-12-30 00:00", uint8(0), uint8('A')) // where the library has no table and is wrong about a day
	f.Fuzz(func(t *testing.T, text string, zone, rule uint8) {
		loc, _ := loadZone(someZones[int(zone)%len(someZones)])
		gap := []string{gapShift, gapSkip}[rule&1]
		found, err := parseInstant(text, loc, dst{gap, []string{foldFirst, foldLast, foldBoth}[rule/2%3]})
		if (err == nil) != (len(found) > 0) || len(found) > 2 {
			t.Fatalf("%q: %v, %v", text, found, err)
		}
		if len(found) == 0 || gap == gapShift {
			return
		}
		if wall, err := time.Parse(walls[0], text); err == nil && found[0].In(loc).Format(walls[0]) != wall.Format(walls[0]) {
			t.Fatalf("%q in %s: %v", text, loc, found)
		}
	})
}
