package dispatcher_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// parallel is one electron that fails at once and two that go on.
const parallel = `
lattice: p
on_failure: %s
electrons:
  bad: {run: [x]}
  slow: {run: [x]}
  again: {run: [x], retries: {max: 5, backoff: 1s}}
  after_bad: {run: [x], wait_for: [bad]}
  after_slow: {run: [x], wait_for: [slow]}
`

func TestOnFailure(t *testing.T) {
	act := func(_ context.Context, task executors.Task, try int) (executors.Result, error) {
		switch task.Electron {
		case "slow":
			time.Sleep(time.Hour)
		case "bad":
			time.Sleep(time.Second)
			return failure("exit_code"), nil
		case "again":
			time.Sleep(time.Minute)
			if try < 3 {
				return failure("signal"), nil
			}
		}
		return value("1"), nil
	}
	for mode, want := range map[string]map[string]string{
		"stop":     {"bad": "failed", "slow": "completed", "again": "failed", "after_bad": "skipped upstream", "after_slow": "skipped stopped"},
		"continue": {"bad": "failed", "slow": "completed", "again": "completed", "after_bad": "skipped upstream", "after_slow": "completed"},
	} {
		t.Run(mode, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				p.act = act
				h := newHouse(t, p).start()
				g := h.run(fmt.Sprintf(parallel, mode), nil)
				got := map[string]string{}
				for name := range want {
					e := h.electron(g.ID, name)
					if got[name] = string(e.Status); e.Status == graph.Skipped {
						got[name] += " " + e.Reason
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if g.Status != graph.Failed || g.Error.Electron != "bad" || g.Error.Code != "exit_code" || g.Result != nil {
					t.Errorf("it ended %s: %+v", g.Status, g.Error)
				}
			})
		})
	}
}
