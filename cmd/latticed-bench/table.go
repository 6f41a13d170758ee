package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// table prints one line per row as it is measured.
type table struct{ w io.Writer }

func newTable(w io.Writer) *table {
	t := &table{w}
	fmt.Fprintf(w, "%-44s %14s %14s %9s  %s\n", "work", "measured", "floor", "ratio", "goal")
	return t
}

// ratio prints a time beside its floor.
func (t *table) ratio(name string, measured, floor time.Duration, goal string) {
	fmt.Fprintf(t.w, "%-44s %14s %14s %8.2f×  %s\n", name, round(measured), round(floor), float64(measured)/float64(floor), goal)
}

// rate prints work per second beside its floor.
func (t *table) rate(name string, measured, floor float64, goal string) {
	fmt.Fprintf(t.w, "%-44s %12.0f/s %12.0f/s %8.2f×  %s\n", name, measured, floor, measured/floor, goal)
}

// plain prints figures that have no floor.
func (t *table) plain(name, measured, goal string) {
	fmt.Fprintf(t.w, "%-44s %14s %14s %9s  %s\n", name, measured, "–", "", goal)
}

func round(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

// quantile returns the q-quantile of ds, which it sorts.
func quantile(ds []time.Duration, q float64) time.Duration {
	slices.Sort(ds)
	return ds[min(len(ds)-1, int(q*float64(len(ds))))]
}
