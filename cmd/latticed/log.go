package main

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// instants puts the time on log lines: UTC, microseconds, as in answers.
type instants struct{}

// Run implements zerolog.Hook.
func (instants) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// newLog writes JSON lines, or readable ones to a terminal.
func newLog(w io.Writer, level string) (zerolog.Logger, error) {
	l, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		return zerolog.Nop(), usagef("--log-level %s: must be debug, info, warn or error", level)
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000", PartsOrder: []string{"time", "level", "component", "message"}}
	}
	return zerolog.New(w).Level(l).Hook(instants{}), nil
}
