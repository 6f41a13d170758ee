package timer

import (
	"testing"
	"time"

	"github.com/latticed/latticed/triggers/triggertest"
)

func TestSuite(t *testing.T) {
	instants := func(*testing.T) map[string]any {
		var at []any
		for n := range 60 {
			at = append(at, time.Now().Add(time.Duration(n+1)*time.Minute).Format(time.RFC3339))
		}
		return map[string]any{"at": at}
	}
	same := func(fields map[string]any) func(*testing.T) map[string]any {
		return func(*testing.T) map[string]any { return fields }
	}
	for name, fields := range map[string]func(*testing.T) map[string]any{
		"every":            same(map[string]any{"every": "1m"}),
		"every_jitter":     same(map[string]any{"every": "30s", "jitter": "20s", "name": "t"}),
		"every_all":        same(map[string]any{"every": "1m", "catch_up": "all"}),
		"every_none":       same(map[string]any{"every": "1m", "catch_up": "none"}),
		"cron":             same(map[string]any{"cron": "* * * * *", "timezone": "Europe/Berlin"}),
		"cron_each_second": same(map[string]any{"cron": "* * * * * *", "timezone": "UTC"}),
		"at":               instants,
		"after_completion": same(map[string]any{"every": "1m", "after": "completion"}),
	} {
		t.Run(name, func(t *testing.T) {
			triggertest.Suite{
				Kind:      Kind,
				Fields:    fields,
				Happen:    func(*testing.T, map[string]any, int) { wait(time.Minute) },
				Simulated: true,
			}.Run(t)
		})
	}
}
