// Command latticed-bench prints the speed table: each row of work done by the real
// binary over its real socket, beside a floor measured in the same run without it.
//
// It owns every process it starts and leaves nothing behind. Rows state ratios;
// the times beside them are of this machine on this day.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// settings are the sizes of the rows.
type settings struct {
	binary string
	only   string
	files  int // of the burst
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	var s settings
	fs := flag.NewFlagSet("latticed-bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&s.binary, "binary", "bin/latticed", "the latticed to measure")
	fs.StringVar(&s.only, "only", "", "run only rows whose name contains this")
	fs.IntVar(&s.files, "files", 10_000, "files of the burst")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	table := newTable(stdout)
	failed := false
	for _, b := range rows {
		if !strings.Contains(b.name, s.only) {
			continue
		}
		if err := b.measure(ctx, s, table); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", b.name, err)
			failed = true
		}
	}
	if failed {
		return 1
	}
	return 0
}

// rows are the lines of the table, in order.
var rows = []struct {
	name    string
	measure func(context.Context, settings, *table) error
}{
	{"one electron", oneElectron},
	{"chain", chain},
	{"fan-out", fanOut},
	{"closed to first instruction", closedToExec},
	{"burst", burst},
	{"accepted", accepted},
	{"memory", memory},
	{"serving after SIGKILL", serving},
	{"history", history},
	{"crowd", crowd},
}
