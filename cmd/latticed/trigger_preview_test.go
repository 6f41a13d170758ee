package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/api/client"
)

// previewed is what a preview looks like.
func previewed(t *testing.T, p client.Preview) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := &cli{stdout: &out, stderr: &errs}
	if err := c.showPreview(p); err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String()
}

func TestPreview_is_short_and_says_what_was_cut(t *testing.T) {
	t.Setenv("TZ", "UTC")
	day := time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local)
	p := client.Preview{
		Next:    []time.Time{day, day.Add(24 * time.Hour)},
		CatchUp: &client.CatchUp{Missed: 17, WouldRun: 1, Since: day},
		WouldFire: []client.WouldFire{
			{Key: "/in/a.txt#ready@fe00.1", Inputs: []byte(`{"file":"/in/a.txt"}`)},
			{Key: "/in/#b@c.txt#moved@fe00.2", Inputs: []byte(`{}`)},
			{Key: "2026-11-20T12:00:00Z", Inputs: []byte(`{"n":1}`)},
		},
		Settling: []client.Settling{{Key: "/in/x", Until: day, Why: "unchanged for 3s of 10s"}, {Key: "/in/run1", Why: "no DONE.txt"}},
		Warnings: []client.Warning{{Message: "look out"}},
		Counts:   client.PreviewCounts{WouldFire: 1003, Settling: 2, Ignored: 30},
	}
	for range 30 {
		p.Ignored = append(p.Ignored, client.Ignored{Key: "/in/e\x1b[31m.part", Reason: "partial"})
	}
	out, errs := previewed(t, p)
	zone := day.Format("MST")
	want := `would fire (1003)
  /in/a.txt             ready  file=/in/a.txt
  /in/#b@c.txt          moved  -
  2026-11-20T12:00:00Z         n=1
  … and 1000 more

settling (2)
  /in/x     until 2026-11-20 12:00:00  unchanged for 3s of 10s
  /in/run1  -                          no DONE.txt

ignored (30)
` + strings.Repeat("  /in/e\\x1b[31m.part  partial\n", shownKeys) + `  … and 10 more

next
  Fri 2026-11-20 12:00:00 ` + zone + `
  Sat 2026-11-21 12:00:00 ` + zone + `

would be caught up
  1 of 17 missed since 2026-11-20 12:00:00
`
	if out != want || errs != "latticed: warning: look out\n" {
		t.Errorf("%s\n%s\nwant\n%s", out, errs, want)
	}
}

func TestPreview_shows_the_clock_of_the_trigger_and_that_of_the_reader(t *testing.T) {
	next := []time.Time{time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)}
	for _, c := range []struct{ zone, here, want string }{
		{"Asia/Tokyo", "Europe/Berlin", "[[Sat 2026-11-21 07:00:00 JST here Fri 2026-11-20 23:00:00 CET]]"},
		{"Asia/Tokyo", "Asia/Seoul", "[[Sat 2026-11-21 07:00:00 JST]]"}, // its clock shows the same
		{"", "Europe/Berlin", "[[Fri 2026-11-20 23:00:00 CET]]"},
		{"Mars/Olympus", "Europe/Berlin", "[[Fri 2026-11-20 23:00:00 CET]]"},
	} {
		readers, err := time.LoadLocation(c.here)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(upcoming(next, c.zone, readers)); got != c.want {
			t.Errorf("%s in %s: %s", c.zone, c.here, got)
		}
	}
	zone := "Asia/Tokyo"
	if out, _ := previewed(t, client.Preview{Next: next, Timezone: &zone}); !strings.HasPrefix(out, "next Asia/Tokyo\n  Sat 2026-11-21 07:00:00 JST") {
		t.Error(out)
	}
}

func TestPreview_says_that_what_is_there_does_not_come(t *testing.T) {
	p := client.Preview{
		AsIfNew:   true,
		WouldFire: []client.WouldFire{{Key: "/in/a.txt#ready@fe00.1", Inputs: []byte(`{}`)}}, Settling: []client.Settling{{Key: "/in/x", Why: "unchanged for 3s of 10s"}},
		Counts: client.PreviewCounts{WouldFire: 1, Settling: 1},
	}
	want := `would fire if they came now (1)
  /in/a.txt  ready  -

would settle if they came now (1)
  /in/x  -  unchanged for 3s of 10s
`
	if out, _ := previewed(t, p); out != want {
		t.Error(out)
	}
}

func TestPreview_shows_no_key_of_an_event_that_does_not_fire(t *testing.T) {
	p := client.Preview{
		Settling: []client.Settling{{Key: "/in/a.txt#ready@fe00.1", Why: "the batch has 1 of 2 events"}},
		Ignored:  []client.Ignored{{Key: "/in/run1#ready@599da48c", Reason: "it was an event before"}, {Key: "/in/b#moved@fe00.2", Reason: "duplicate"}},
		Counts:   client.PreviewCounts{Settling: 1, Ignored: 2},
	}
	want := `settling (1)
  /in/a.txt  -  the batch has 1 of 2 events

ignored (2)
  /in/run1  it was an event before
  /in/b     moved: duplicate
`
	if out, _ := previewed(t, p); out != want {
		t.Error(out)
	}
}

func TestPreview_of_nothing_says_so(t *testing.T) {
	if out, _ := previewed(t, client.Preview{CatchUp: &client.CatchUp{}}); out != "nothing would fire now\n" {
		t.Error(out)
	}
}

func TestTriggerList_says_for_how_long_something_waits(t *testing.T) {
	for s, want := range map[float64]string{
		0: "-", 0.2: "200ms", 12.3: "12s", 90: "1m30s", 3600: "1h", 5400: "1h30m", 86400: "24h", 200_000: "2d8h", 345_600: "4d",
	} {
		if got := lag(client.Trigger{LagS: s}); got != want {
			t.Errorf("%v: %s, want %s", s, got, want)
		}
	}
}
