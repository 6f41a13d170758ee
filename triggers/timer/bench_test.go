package timer

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// BenchmarkRun is what a trigger costs that is woken while nothing is due.
func BenchmarkRun(b *testing.B) {
	for name, fields := range map[string]map[string]any{
		"every": {"every": "1h"}, "cron": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, "jitter": {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "jitter": "1h"},
	} {
		b.Run(name, func(b *testing.B) {
			made, err := triggers.Make(Kind, fields)
			if err != nil {
				b.Fatal(err)
			}
			raw, err := json.Marshal(made.Source.(*source).fresh(time.Now())) //nolint:forcetypeassert // it is ours
			if err != nil {
				b.Fatal(err)
			}
			from := triggers.From{Cursor: raw, Health: func(triggers.State, string) {}}
			emit := func(context.Context, triggers.Batch) error { return nil }
			b.ReportAllocs()
			for b.Loop() {
				_ = made.Source.Run(b.Context(), from, emit)
			}
		})
	}
}
