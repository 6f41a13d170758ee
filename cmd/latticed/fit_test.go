package main

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var fitNow = time.Date(2026, 11, 20, 19, 0, 0, 0, time.Local)

// triggerRows are those of a list, made anew since fit changes them.
func triggerRows() ([]string, [][]string) {
	return []string{"NAME", "KIND", "STATE", "LAG", "LAST EVENT", "REASON"}, [][]string{
		{"scans_of_the_station", "directory", "failing", "-", "2026-11-20 18:44:47", "there is no folder /data/beamtime/2026/scans; create it, and it is looked at again"},
		{"nightly", "time", "active", "-", "2026-11-19 03:00:00", ""},
		{"old", "time", "active", "-", "2025-01-02 03:00:00", ""},
	}
}

func TestFit(t *testing.T) {
	t.Run("leaves_what_has_room_as_it_is", func(t *testing.T) {
		header, rows := triggerRows()
		was, cells := triggerRows()
		header, rows = fit(header, rows, 200, fitNow)
		if !slices.Equal(header, was) || !slices.EqualFunc(rows, cells, slices.Equal) {
			t.Errorf("%v %v", header, rows)
		}
	})
	t.Run("makes_each_row_a_line_of_the_terminal", func(t *testing.T) {
		for _, width := range []int{80, 100, 120} {
			header, rows := triggerRows()
			header, rows = fit(header, rows, width, fitNow)
			if over(header, rows, width) > 0 {
				t.Errorf("%d: over by %d: %q", width, over(header, rows, width), rows)
			}
			if rows[0][0] != "scans_of_the_station" || !strings.HasPrefix(rows[0][len(rows[0])-1], "there is no") {
				t.Errorf("%d: %q", width, rows[0])
			}
		}
	})
	t.Run("leaves_out_what_says_nothing_and_what_goes_without_saying", func(t *testing.T) {
		header, rows := triggerRows()
		header, rows = fit(header, rows, 80, fitNow)
		if slices.Contains(header, "LAG") {
			t.Errorf("%q", header)
		}
		if got := []string{rows[0][3], rows[1][3], rows[2][3]}; !slices.Equal(got, []string{"18:44:47", "11-19 03:00", "2025-01-02"}) {
			t.Errorf("%q", got)
		}
	})
	t.Run("shortens_a_path_in_its_middle", func(t *testing.T) {
		header, rows := fit([]string{"AT", "EVENT"}, [][]string{{"1", "/data/beamtime/2026-11-20/sample_0001/image_with_a_long_name_0003.tif"}}, 40, fitNow)
		if got := rows[0][1]; over(header, rows, 40) > 0 || !strings.HasPrefix(got, "/data/") || !strings.HasSuffix(got, "long_name_0003.tif") {
			t.Errorf("%q", got)
		}
	})
	t.Run("keeps_the_end_of_a_file_among_inputs", func(t *testing.T) {
		header, rows := fit([]string{"N", "INPUTS"}, [][]string{{"1", "file=…/sample_0001/image_with_a_long_name_0003.tif bins=64"}}, 40, fitNow)
		if got := rows[0][1]; over(header, rows, 40) > 0 || !strings.HasSuffix(got, "0003.tif bins=64") {
			t.Errorf("%q", got)
		}
	})
	t.Run("breaks_what_is_told_into_lines_and_loses_no_word", func(t *testing.T) {
		said := "it is not synchronised, and nothing keeps the clock → let the machine keep its time: timedatectl set-ntp true"
		_, rows := fit(nil, [][]string{{"ok", "disk", "fine"}, {"warn", "clock", said}}, 60, fitNow)
		var all []string
		for _, row := range rows[1:] {
			if n := utf8.RuneCountInString(row[2]); n > 60-len("warn")-len("clock")-2*columnGap {
				t.Errorf("%d wide: %q", n, row[2])
			}
			all = append(all, row[2])
		}
		if strings.Join(all, " ") != said || len(rows) < 3 || rows[1][0] != "warn" || rows[2][0] != "" {
			t.Errorf("%q", rows)
		}
	})
}
