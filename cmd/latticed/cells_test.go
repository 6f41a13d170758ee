package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"text/tabwriter"
)

func TestCells(t *testing.T) {
	t.Run("a_text_is_as_wide_as_a_terminal_shows_it", func(t *testing.T) {
		for text, want := range map[string]int{
			"": 0, "abc": 3, "µm → °C": 7, "测量": 4, "日本語": 6, "e\u0301": 1, "ｆ": 2, "한국": 4, "😀": 2, "…": 1, "\xff": 1,
		} {
			if got := cells(text); got != want {
				t.Errorf("%q takes %d, not %d", text, got, want)
			}
		}
	})
	t.Run("its_ends_fit", func(t *testing.T) {
		for _, text := range []string{"测量-結果.tif", "e\u0301a\u0300x", "plain", "😀😀😀"} {
			for width := range cells(text) + 1 {
				h, e := head(text, width), tail(text, width)
				if cells(h) > width || cells(h) < width-1 || !strings.HasPrefix(text, h) {
					t.Errorf("the beginning of %q: %q", text, h)
				}
				if cells(e) > width || cells(e) < width-1 || !strings.HasSuffix(text, e) {
					t.Errorf("the end of %q: %q", text, e)
				}
			}
		}
	})
	t.Run("rows_of_wide_letters_fit_the_terminal_and_stand_below_each_other", func(t *testing.T) {
		rows := func() [][]string {
			return [][]string{{"1", "/data/测量/" + strings.Repeat("結果", 30) + "/最終.tif", "done"}, {"2", "/data/plain.tif", "done"}}
		}
		for width := 40; width < 120; width++ {
			_, fitted := fit([]string{"N", "FILE", "STATE"}, rows(), width, fitNow)
			out := strings.Split(aligned(fitted), "\n")
			if n := cells(out[0]); n > width || n < width-2 {
				t.Errorf("%d of %d: %q", n, width, out[0])
			}
			if a, b := strings.Index(out[0], "done"), strings.Index(out[1], "done"); cells(out[0][:a]) != cells(out[1][:b]) {
				t.Errorf("%d: %q", width, out)
			}
		}
	})
	t.Run("rows_of_narrow_letters_stand_as_a_tabwriter_sets_them", func(t *testing.T) {
		for seed := range uint64(500) {
			r := rand.New(rand.NewPCG(seed, 0))
			var rows [][]string
			var want bytes.Buffer
			w := tabwriter.NewWriter(&want, 0, 8, columnGap, ' ', 0)
			for range 1 + r.IntN(6) {
				row := make([]string, 1+r.IntN(4))
				for i := range row {
					row[i] = strings.Repeat("x", r.IntN(4))
				}
				rows = append(rows, row)
				fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if got := aligned(rows); got != want.String() {
				t.Fatalf("%q\n%s\nwant\n%s", rows, got, want.String())
			}
		}
	})
}
