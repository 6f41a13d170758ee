package main

import (
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	leastColumn = 14 // what is left of a column that is shortened, and its heading
	leastText   = 24 // of the last column, when it is broken into lines
)

// columns is how wide the terminal is that a person reads; 0: nobody does, or it is not
// known, and what is printed is printed whole.
func (c *cli) columns() int {
	f, ok := c.stdout.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// fit makes a table as narrow as a terminal. Without a heading, or when the last column
// says why, that column is broken into lines. Else a row stays a line: columns in which there is nothing are left
// out, instants lose what goes without saying, and then the widest columns are shortened,
// but for the first, by which people name things. Where that isn't enough the terminal
// breaks the lines.
func fit(header []string, rows [][]string, width int, now time.Time) ([]string, [][]string) {
	if over(header, rows, width) <= 0 {
		return header, rows
	}
	if n := len(header); n == 0 || tells(header[n-1]) {
		return header, broken(header, rows, width)
	}
	if header, rows = filled(header, rows); over(header, rows, width) <= 0 {
		return header, rows
	}
	for _, row := range rows {
		for i := range row {
			row[i] = lately(row[i], now)
		}
	}
	for left := over(header, rows, width); left > 0; left = over(header, rows, width) {
		i, w := widest(header, rows)
		if i < 0 {
			break
		}
		for _, row := range rows {
			if i < len(row) {
				row[i] = middle(row[i], max(w-left, leastColumn, cells(header[i])))
			}
		}
	}
	return header, rows
}

// widths is how wide each column is.
func widths(header []string, rows [][]string) []int {
	var all []int
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			if i == len(all) {
				all = append(all, 0)
			}
			all[i] = max(all[i], cells(cell))
		}
	}
	return all
}

// over is by how much a table is wider than the terminal.
func over(header []string, rows [][]string, width int) int {
	sum := -columnGap
	for _, w := range widths(header, rows) {
		sum += w + columnGap
	}
	return sum - width
}

// widest finds the column to shorten; -1 when there is none.
func widest(header []string, rows [][]string) (column, width int) {
	column = -1
	for i, w := range widths(header, rows) {
		if i > 0 && w > width && w > leastColumn && w > cells(header[i]) {
			column, width = i, w
		}
	}
	return column, width
}

// filled leaves out the columns that say nothing.
func filled(header []string, rows [][]string) ([]string, [][]string) {
	var keep []int
	for i := range header {
		for _, row := range rows {
			if i == 0 || i < len(row) && row[i] != "-" && row[i] != "" {
				keep = append(keep, i)
				break
			}
		}
	}
	pick := func(row []string) (kept []string) {
		for _, i := range keep {
			if i < len(row) {
				kept = append(kept, row[i])
			}
		}
		return kept
	}
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = pick(row)
	}
	return pick(header), out
}

var localInstant = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)

// lately shortens an instant: today the day goes without saying, this year the year.
func lately(cell string, now time.Time) string {
	switch {
	case !localInstant.MatchString(cell):
		return cell
	case cell[:len(time.DateOnly)] == now.Format(time.DateOnly):
		return cell[len("2006-01-02 "):]
	case cell[:len("2006")] == now.Format("2006"):
		return cell[len("2006-") : len(cell)-len(":05")]
	}
	return cell[:len(time.DateOnly)]
}

// middle shortens a sentence at its end, and a word or values of inputs, such as a path,
// in the middle.
func middle(s string, width int) string {
	if cells(s) <= width {
		return s
	}
	if strings.Contains(s, " ") && !strings.Contains(s, "=") {
		return begin(s, width)
	}
	first := head(s, (width-1)/3)
	return first + "…" + tail(s, width-1-cells(first))
}

// tells knows the columns that are about all that a command has to say.
func tells(heading string) bool { return heading == "WHY" || heading == "REUSE" }

// broken breaks the last cells of rows between words.
func broken(header []string, rows [][]string, width int) [][]string {
	all := widths(header, rows)
	last, room := len(all)-1, width
	for _, w := range all[:last] {
		room -= w + columnGap
	}
	if room < leastText {
		return rows
	}
	out := make([][]string, 0, len(rows))
	for _, row := range rows {
		if len(row) <= last || cells(row[last]) <= room {
			out = append(out, row)
			continue
		}
		for i, line := range lines(row[last], room) {
			next := make([]string, last, last+1)
			if i == 0 {
				copy(next, row)
			}
			out = append(out, append(next, line))
		}
	}
	return out
}
