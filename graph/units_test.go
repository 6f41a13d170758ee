package graph

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for _, c := range []struct {
		in   any
		want time.Duration
	}{
		{"30s", 30 * time.Second},
		{"1h30m", 90 * time.Minute},
		{" 7d ", 7 * 24 * time.Hour},
		{"2w", 14 * 24 * time.Hour},
		{"1.5h", 90 * time.Minute},
		{"250ms", 250 * time.Millisecond},
		{"1us", time.Microsecond},
		{"1µs", time.Microsecond},
		{"5ns", 5},
		{"10min", 10 * time.Minute},
		{"90", 90 * time.Second},
		{"0", 0},
		{int64(30), 30 * time.Second},
		{30, 30 * time.Second},
		{0.5, 500 * time.Millisecond},
	} {
		if got, err := ParseDuration(c.in); err != nil || got != c.want {
			t.Errorf("%v: %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []any{"", "s", "5 s", "5x", "-5s", "1h-5m", "h1", "1..5s", -1, -0.5, "200000w", 1e300, nil, true, []any{}, "1h 30m", "+5s", "0x5s", "1e3s"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("%v: %v, an error is expected", in, got)
		}
	}
}

func TestUnits_a_number_alone_is_refused_where_nothing_says_what_it_counts(t *testing.T) {
	if got, err := DurationWithUnit("90"); err == nil || err.Error() != "90 what? Write for example 90d, 90h or 90s" {
		t.Errorf("90: %v, %v", got, err)
	}
	if got, err := DurationWithUnit(" 1.5 "); err == nil || err.Error() != "1.5 what? Write for example 1.5d, 1.5h or 1.5s" {
		t.Errorf("1.5: %v, %v", got, err)
	}
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "1h30m": 90 * time.Minute, "0": 0} {
		if got, err := DurationWithUnit(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := SizeWithUnit("50"); err == nil || err.Error() != "50 what? Write for example 50GiB, 50MB or 50B" {
		t.Errorf("50: %v, %v", got, err)
	}
	for text, want := range map[string]int64{"50B": 50, "1.5 GiB": 3 << 29, "0": 0} {
		if got, err := SizeWithUnit(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestSpan_leaves_out_what_says_nothing(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Second: "10s", 600 * time.Second: "10m", 26 * time.Hour: "26h", 90 * time.Minute: "1h30m", -2 * time.Hour: "-2h",
		time.Hour + time.Second: "1h0m1s", 300 * time.Millisecond: "300ms", 100 * time.Second: "1m40s", 20 * time.Minute: "20m", 10 * time.Hour: "10h",
	} {
		if got := Span(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
		if d >= 0 {
			if back, err := ParseDuration(Span(d)); err != nil || back != d {
				t.Errorf("%s is read as %s: %v", want, back, err)
			}
		}
	}
}

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		in   any
		want int64
	}{
		{"4GiB", 4 << 30},
		{"512MB", 512_000_000},
		{"1.5 GiB", 3 << 29},
		{"2K", 2048},
		{"3g", 3 << 30},
		{"7Ti", 7 << 40},
		{"1kB", 1000},
		{"12", 12},
		{"12B", 12},
		{int64(1024), 1024},
		{1024, 1024},
		{1e9, 1_000_000_000},
	} {
		if got, err := ParseSize(c.in); err != nil || got != c.want {
			t.Errorf("%v: %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []any{"", "GiB", "4 elephants", "4GiBs", "-1MB", -1, "5000PiB", nil, true, map[string]any{}} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("%v: %v, an error is expected", in, got)
		}
	}
}

func TestSuggest(t *testing.T) {
	keys := []string{"run", "bash", "python", "args", "env", "outputs", "wait_for", "if", "executor", "resources", "retries", "timeout", "grace", "result"}
	for word, want := range map[string]string{
		"bsh": "bash", "pyhton": "python", "time_out": "timeout", "waitfor": "wait_for", "wait-for": "wait_for", "retry": "retries",
		"resource": "resources", "OUTPUTS": "outputs", "output": "outputs", "reslut": "result", "schedule": "", "": "", "x": "", "on": "",
		"run": "",
	} {
		if got := Suggest(word, keys); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	if got := Suggest("xfit_2", []string{"xfit_1", "xfit_3"}); got != "xfit_1" {
		t.Errorf("of equals the first is expected, not %q", got)
	}
}
