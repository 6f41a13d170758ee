package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// wide are the letters and signs that take two columns of a terminal.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, // Hangul, to be composed
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1}, // CJK radicals and signs
		{Lo: 0x3041, Hi: 0xa4cf, Stride: 1}, // kana, Han, Yi
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, // Hangul
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, // Han, compatible
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, // forms of CJK signs
		{Lo: 0xff01, Hi: 0xff60, Stride: 1}, // full width
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, // pictures
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1faff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1}, // Han
	},
}

// cells is how many columns of a terminal a text takes. Terminals don't agree about
// pictures that are joined of several; they count as all of them, which is the most.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cellsOf(r)
	}
	return n
}

func cellsOf(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0 // it belongs to the letter before
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// head is the longest beginning of a text that takes no more than so many columns.
func head(s string, width int) string {
	for i, r := range s {
		if width -= cellsOf(r); width < 0 {
			return s[:i]
		}
	}
	return s
}

// tail is the longest end of one.
func tail(s string, width int) string {
	for i := len(s); i > 0; {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if width -= cellsOf(r); width < 0 {
			return s[i:]
		}
		i -= size
	}
	return s
}

// aligned sets rows below each other. A cell is as wide as the widest of those that come
// directly above and below it, but for the last of a row, which takes what it takes.
func aligned(rows [][]string) string {
	pads := make([][]int, len(rows))
	last := make([]int, len(rows)) // the last cell with something in it
	columns := 0
	for i, row := range rows {
		for last[i] = len(row) - 1; last[i] > 0 && row[last[i]] == ""; {
			last[i]--
		}
		pads[i] = make([]int, len(row))
		columns = max(columns, last[i])
	}
	for c := range columns {
		for i := 0; i < len(rows); i++ {
			begin, width := i, 0
			for ; i < len(rows) && c < last[i]; i++ {
				width = max(width, cells(rows[i][c]))
			}
			for j := begin; j < i; j++ {
				pads[j][c] = width + columnGap - cells(rows[j][c])
			}
		}
	}
	var b strings.Builder
	for i, row := range rows {
		for c := 0; c <= last[i]; c++ {
			b.WriteString(row[c])
			b.WriteString(strings.Repeat(" ", pads[i][c]))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
