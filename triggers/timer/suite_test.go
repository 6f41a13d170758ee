package timer

import (
	"testing"
	"time"

	"github.com/latticed/latticed/triggers/triggertest"
)

func TestSuite(t *testing.T) {
	triggertest.Suite{
		Kind:      Kind,
		Fields:    func(*testing.T) map[string]any { return map[string]any{"every": "1m"} },
		Happen:    func(*testing.T, map[string]any, int) { wait(time.Minute) },
		Simulated: true,
	}.Run(t)
}
