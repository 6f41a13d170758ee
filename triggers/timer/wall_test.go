package timer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// cronIn makes the schedule of a cron expression.
func cronIn(t testing.TB, text, zone string, rule dst) *cron {
	t.Helper()
	loc, ok := loadZone(zone)
	if !ok {
		t.Fatalf("there is no zone %s", zone)
	}
	c, fixedHours, err := parseCron(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c.inZone(loc, rule, fixedHours)
}

// between lists the instants of (from, to] as the wall of the zone shows them.
func between(c *cron, from, to time.Time) []string {
	found := []string{}
	for at := c.next(from); !at.IsZero() && !at.After(to); at = c.next(at) {
		found = append(found, at.In(c.zone).Format("02T15:04-0700"))
	}
	return found
}

// What a change of the clocks does to a schedule: pain points 45 (the job at 02:00 that
// is skipped in spring), 46 (twice in autumn), 47 (each second hour) and 48 (somebody
// wants to choose).
func TestCron_when_the_clocks_are_changed(t *testing.T) {
	usual := dst{gapShift, foldFirst}
	for _, tt := range []struct {
		name, zone, cron string
		rule             dst
		from, days       string // local midnight, and how many days
		want             string
	}{
		{"new_york_spring_fixed_hour_shifts", "America/New_York", "30 2 * * *", usual, "2026-03-07", "72h", "07T02:30-0500 08T03:00-0400 09T02:30-0400"},
		{"new_york_spring_fixed_hour_skips", "America/New_York", "30 2 * * *", dst{gapSkip, foldFirst}, "2026-03-07", "72h", "07T02:30-0500 09T02:30-0400"},
		{"new_york_spring_several_left_out_tick_once", "America/New_York", "*/10 2 * * *", usual, "2026-03-08", "23h", "08T03:00-0400"},
		{"new_york_spring_two_and_three_are_both_there", "America/New_York", "30 2,3 * * *", usual, "2026-03-08", "23h", "08T03:00-0400 08T03:30-0400"},
		{"new_york_spring_shifted_onto_a_regular_one_ticks_once", "America/New_York", "0 2,3 * * *", usual, "2026-03-08", "23h", "08T03:00-0400"},
		{"new_york_autumn_first", "America/New_York", "30 1 * * *", usual, "2026-10-31", "73h", "31T01:30-0400 01T01:30-0400 02T01:30-0500"},
		{"new_york_autumn_last", "America/New_York", "30 1 * * *", dst{gapShift, foldLast}, "2026-10-31", "73h", "31T01:30-0400 01T01:30-0500 02T01:30-0500"},
		{"new_york_autumn_both", "America/New_York", "30 1 * * *", dst{gapShift, foldBoth}, "2026-11-01", "25h", "01T01:30-0400 01T01:30-0500"},
		{"new_york_autumn_other_hours_are_not_concerned", "America/New_York", "30 0,2 * * *", dst{gapShift, foldLast}, "2026-11-01", "25h", "01T00:30-0400 01T02:30-0500"},
		{"new_york_spring_every_half_hour_follows_elapsed_time", "America/New_York", "*/30 * * * *", usual, "2026-03-08", "3h", "08T00:00-0500 08T00:30-0500 08T01:00-0500 08T01:30-0500 08T03:00-0400 08T03:30-0400 08T04:00-0400"},
		{"new_york_autumn_every_half_hour_follows_elapsed_time", "America/New_York", "*/30 * * * *", usual, "2026-11-01", "3h", "01T00:00-0400 01T00:30-0400 01T01:00-0400 01T01:30-0400 01T01:00-0500 01T01:30-0500 01T02:00-0500"},
		{"new_york_spring_every_second_hour_goes_on", "America/New_York", "0 */2 * * *", usual, "2026-03-08", "8h", "08T00:00-0500 08T03:00-0400 08T04:00-0400 08T06:00-0400 08T08:00-0400"},
		{"new_york_spring_every_second_hour_at_half_past_keeps_its_two_hours", "America/New_York", "30 */2 * * *", usual, "2026-03-08", "5h", "08T00:30-0500 08T03:30-0400 08T04:30-0400"},
		{"new_york_spring_every_second_hour_without_made_up_ones", "America/New_York", "0 */2 * * *", dst{gapSkip, foldFirst}, "2026-03-08", "8h", "08T00:00-0500 08T04:00-0400 08T06:00-0400 08T08:00-0400"},
		{"berlin_autumn_every_second_hour_goes_on", "Europe/Berlin", "0 */2 * * *", usual, "2026-10-25", "6h", "25T00:00+0200 25T02:00+0200 25T02:00+0100 25T04:00+0100"},
		{"london_spring", "Europe/London", "15 1 * * *", usual, "2026-03-29", "47h", "29T02:00+0100 30T01:15+0100"},
		{"london_autumn", "Europe/London", "15 1 * * *", usual, "2026-10-25", "49h", "25T01:15+0100 26T01:15+0000"},
		{"london_autumn_last", "Europe/London", "15 1 * * *", dst{gapShift, foldLast}, "2026-10-25", "49h", "25T01:15+0000 26T01:15+0000"},
		{"lord_howe_spring_half_an_hour", "Australia/Lord_Howe", "15 2 * * *", usual, "2026-10-04", "47h", "04T02:30+1100 05T02:15+1100"},
		{"lord_howe_spring_skips", "Australia/Lord_Howe", "15 2 * * *", dst{gapSkip, foldFirst}, "2026-10-04", "47h", "05T02:15+1100"},
		{"lord_howe_spring_after_the_gap_is_not_concerned", "Australia/Lord_Howe", "45 2 * * *", usual, "2026-10-04", "23h", "04T02:45+1100"},
		{"lord_howe_spring_hourly_is_never_late", "Australia/Lord_Howe", "0 * * * *", usual, "2026-10-04", "4h", "04T00:00+1030 04T01:00+1030 04T02:30+1100 04T03:00+1100 04T04:00+1100"},
		{"lord_howe_autumn_first", "Australia/Lord_Howe", "45 1 * * *", usual, "2026-04-05", "24h", "05T01:45+1100"},
		{"lord_howe_autumn_last", "Australia/Lord_Howe", "45 1 * * *", dst{gapShift, foldLast}, "2026-04-05", "24h", "05T01:45+1030"},
		{"lord_howe_autumn_both", "Australia/Lord_Howe", "45 1 * * *", dst{gapShift, foldBoth}, "2026-04-05", "24h", "05T01:45+1100 05T01:45+1030"},
		{"cairo_no_midnight", "Africa/Cairo", "0 0 * * *", usual, "2026-04-23", "71h", "23T00:00+0200 24T01:00+0300 25T00:00+0300 26T00:00+0300"},
		{"cairo_no_midnight_skips", "Africa/Cairo", "0 0 * * *", dst{gapSkip, foldFirst}, "2026-04-23", "71h", "23T00:00+0200 25T00:00+0300 26T00:00+0300"},
		{"cairo_midnight_begins_the_day_on_time", "Africa/Cairo", "@daily", usual, "2026-10-29", "50h", "29T00:00+0300 30T00:00+0200 31T00:00+0200"},
		{"cairo_late_evening_twice", "Africa/Cairo", "30 23 * * *", dst{gapShift, foldBoth}, "2026-10-29", "50h", "29T23:30+0300 29T23:30+0200 30T23:30+0200"},
		{"sao_paulo_2018_no_midnight", "America/Sao_Paulo", "0 0 * * *", usual, "2018-11-03", "71h", "03T00:00-0300 04T01:00-0200 05T00:00-0200 06T00:00-0200"},
		{"sao_paulo_2018_no_midnight_on_sundays", "America/Sao_Paulo", "30 0 * * sun", usual, "2018-10-28", "190h", "28T00:30-0300 04T01:00-0200"},
		{"sao_paulo_2018_skips", "America/Sao_Paulo", "0 0 * * *", dst{gapSkip, foldFirst}, "2018-11-03", "50h", "03T00:00-0300 05T00:00-0200"},
		{"sao_paulo_2018_late_evening_first", "America/Sao_Paulo", "30 23 * * *", usual, "2018-02-17", "49h", "17T23:30-0200 18T23:30-0300"},
		{"sao_paulo_2018_late_evening_last", "America/Sao_Paulo", "30 23 * * *", dst{gapShift, foldLast}, "2018-02-17", "49h", "17T23:30-0300 18T23:30-0300"},
		{"santiago_spring", "America/Santiago", "0 0 * * *", usual, "2026-09-05", "48h", "05T00:00-0400 06T01:00-0300 07T00:00-0300"},
		{"santiago_spring_skips", "America/Santiago", "0 0 * * *", dst{gapSkip, foldFirst}, "2026-09-05", "48h", "05T00:00-0400 07T00:00-0300"},
		{"santiago_autumn", "America/Santiago", "30 23 * * *", usual, "2026-04-04", "49h", "04T23:30-0300 05T23:30-0400"},
		{"santiago_autumn_both", "America/Santiago", "30 23 * * *", dst{gapShift, foldBoth}, "2026-04-04", "49h", "04T23:30-0300 04T23:30-0400 05T23:30-0400"},
		{"apia_a_day_that_does_not_exist", "Pacific/Apia", "0 12 * * *", usual, "2011-12-29", "48h", "29T12:00-1000 31T00:00+1400 31T12:00+1400"},
		{"apia_a_day_that_does_not_exist_skips", "Pacific/Apia", "0 12 * * *", dst{gapSkip, foldFirst}, "2011-12-29", "48h", "29T12:00-1000 31T12:00+1400"},
		{"apia_the_30th_only", "Pacific/Apia", "0 12 30 12 *", usual, "2011-12-29", "48h", "31T00:00+1400"},
		{"apia_every_six_hours_go_on", "Pacific/Apia", "0 */6 * * *", usual, "2011-12-29", "36h", "29T00:00-1000 29T06:00-1000 29T12:00-1000 29T18:00-1000 31T00:00+1400 31T06:00+1400 31T12:00+1400"},
		{"utc_knows_no_change", "UTC", "30 2 * * *", usual, "2026-03-07", "72h", "07T02:30+0000 08T02:30+0000 09T02:30+0000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := cronIn(t, tt.cron, tt.zone, tt.rule)
			from, err := time.ParseInLocation("2006-01-02", tt.from, c.zone)
			if err != nil {
				t.Fatal(err)
			}
			span, err := time.ParseDuration(tt.days)
			if err != nil {
				t.Fatal(err)
			}
			to := from.Add(span)
			from = from.Add(-time.Second)
			got := between(c, from, to)
			if want := strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("%s in %s\n got %v\nwant %v", tt.cron, tt.zone, got, want)
			}
			if n := c.count(from, to); n != int64(len(got)) {
				t.Errorf("counted %d, found %d", n, len(got))
			}
		})
	}
}

// naive walks minute by minute and looks at the clock, as anybody would.
func naive(c *cron, from, to time.Time) []time.Time {
	show := func(t time.Time) time.Time { // the reading, as if it were UTC
		l := t.In(c.zone)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	}
	match := func(w time.Time) bool {
		has := func(set uint64, n int) bool { return set&(1<<n) != 0 }
		monthday, weekday := has(c.monthday, w.Day()), has(c.weekday, int(w.Weekday()))
		onDay := monthday && weekday || c.either && (monthday || weekday)
		return onDay && has(c.month, int(w.Month())) && has(c.hour, w.Hour()) && has(c.minute, w.Minute())
	}
	const margin = 26 * time.Hour
	seen := map[time.Time][]time.Time{} // instants by reading
	found := map[time.Time]bool{}
	for t := from.Add(-margin); !t.After(to.Add(margin)); t = t.Add(time.Minute) {
		w, before := show(t), show(t.Add(-time.Minute))
		if match(w) {
			seen[w] = append(seen[w], t)
		}
		for out := before.Add(time.Minute); out.Before(w); out = out.Add(time.Minute) {
			switch {
			case !match(out):
			case c.dst.gap == gapShift:
				found[t] = true
			case c.dst.gap == gapElapsed:
				found[t.Add(out.Sub(before)-time.Minute)] = true
			}
		}
	}
	for _, at := range seen {
		switch c.dst.fold {
		case foldFirst:
			at = at[:1]
		case foldLast:
			at = at[len(at)-1:]
		}
		for _, t := range at {
			found[t] = true
		}
	}
	var list []time.Time
	for t := range found {
		if t.After(from) && !t.After(to) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, time.Time.Compare)
	return list
}

var someZones = []string{
	"America/New_York", "Europe/London", "Australia/Lord_Howe", "Africa/Cairo", "America/Sao_Paulo", "America/Santiago",
	"Pacific/Apia", "Asia/Kathmandu", "Africa/Casablanca", "Antarctica/Troll", "America/Nuuk", "Asia/Gaza", "Europe/Dublin", "UTC",
}

// drawCron draws an expression of five fields.
func drawCron(t *rapid.T) string {
	pick := func(what string, choices ...string) string { return rapid.SampledFrom(choices).Draw(t, what) }
	return strings.Join([]string{
		pick("minute", "0", "30", "15,45", "*/30", "*/7", "59", "*", "10-20"),
		pick("hour", "*", "*/2", "0", "1", "2", "3", "23", "1-3", "0-23/3", "0,12", "22-23", "1/5"),
		pick("day", "*", "*", "*", "30", "1", "*/2", "8"),
		pick("month", "*", "*", "*", "3,10,11", "12"),
		pick("weekday", "*", "*", "*", "sun", "1-5", "sat,sun", "7"),
	}, " ")
}

func drawRule(t *rapid.T) dst {
	return dst{rapid.SampledFrom([]string{gapShift, gapSkip}).Draw(t, "gap"), rapid.SampledFrom([]string{foldFirst, foldLast, foldBoth}).Draw(t, "fold")}
}

// drawMoment draws an instant near a change of the clocks, if there is one near.
func drawMoment(t *rapid.T, zone *time.Location) time.Time {
	at := time.Unix(rapid.Int64Range(1262304000, 1925000000).Draw(t, "at")/60*60, 0).In(zone) // 2010 to 2031
	if _, end := at.ZoneBounds(); !end.IsZero() && end.Year() < 2040 {
		at = end.Add(time.Duration(rapid.IntRange(-2000, 300).Draw(t, "minutes")) * time.Minute).Truncate(time.Minute)
	}
	return at
}

func TestCron_agrees_with_somebody_who_looks_at_the_clock_each_minute(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone := rapid.SampledFrom(someZones).Draw(rt, "zone")
		text := drawCron(rt)
		c := cronIn(t, text, zone, drawRule(rt))
		from := drawMoment(rt, c.zone)
		to := from.Add(time.Duration(rapid.IntRange(1, 48).Draw(rt, "hours")) * time.Hour)
		want := naive(c, from, to)
		var got []time.Time
		for at := c.next(from); !at.IsZero() && !at.After(to); at = c.next(at) {
			got = append(got, at)
		}
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			rt.Fatalf("%s in %s, %+v, after %s:\n got %v\nwant %v", text, zone, c.dst, from, got, want)
		}
		if n := c.count(from, to); n != int64(len(want)) {
			rt.Fatalf("counted %d, want %d", n, len(want))
		}
		n := rapid.Int64Range(1, 30).Draw(rt, "n")
		if last, want := tail(c, from, to, n), want[max(0, len(want)-int(n)):]; !slices.EqualFunc(last, want, time.Time.Equal) {
			rt.Fatalf("the last %d are %v, want %v", n, last, want)
		}
	})
}

// The library's bounds of a zone end before they should there.
func TestCron_goes_on_over_the_last_day_of_a_leap_year_far_ahead(t *testing.T) {
	c := cronIn(t, "0 */6 * * *", "America/New_York", dst{gapShift, foldFirst})
	from := time.Date(2040, 12, 30, 23, 0, 0, 0, c.zone)
	want := strings.Fields("31T00:00-0500 31T06:00-0500 31T12:00-0500 31T18:00-0500 01T00:00-0500")
	if got := between(c, from, from.Add(26*time.Hour)); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestReadings(t *testing.T) {
	for _, tt := range []struct{ name, zone, at, want string }{
		{"a_usual_one", "Europe/Berlin", "2026-12-24 18:00", "2026-12-24T18:00:00+01:00"},
		{"left_out", "Europe/Berlin", "2026-03-29 02:30", "2026-03-29T03:00:00+02:00"},
		{"repeated", "Europe/Berlin", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00"},
		{"a_day_left_out", "Pacific/Apia", "2011-12-30 09:00", "2011-12-31T00:00:00+14:00"},
		{"far_east", "Pacific/Kiritimati", "2026-01-01 00:00", "2026-01-01T00:00:00+14:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			zone, _ := loadZone(tt.zone)
			at, err := time.Parse("2006-01-02 15:04", tt.at)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range readings(zone, dst{gapShift, foldBoth}, at.Unix()) {
				got = append(got, time.Unix(s, 0).In(zone).Format(time.RFC3339))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
			if first := readings(zone, dst{gapSkip, foldFirst}, at.Unix()); len(first) > 1 || len(first) == 0 != strings.HasPrefix(tt.name, "left_out") && tt.name != "a_day_left_out" {
				t.Errorf("with skip and first: %v", first)
			}
		})
	}
}

func TestInstants_are_read_with_and_without_seconds_and_zones(t *testing.T) {
	zone, _ := loadZone("Europe/Berlin")
	for _, text := range []string{
		"2026-12-24T18:00:00+01:00", "2026-12-24T18:00+01:00", "2026-12-24T17:00Z",
		"2026-12-24T18:00:00", "2026-12-24T18:00", "2026-12-24 18:00", " 2026-12-24 18:00:00 ",
	} {
		got, err := parseInstant(text, zone, dst{gapShift, foldFirst})
		if want := time.Date(2026, 12, 24, 17, 0, 0, 0, time.UTC); err != nil || len(got) != 1 || !got[0].Equal(want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}
