package dispatcher

import (
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
)

func TestLanded(t *testing.T) {
	now := time.Now()
	run := graph.Run{Electrons: []graph.Electron{
		{Index: 0, Status: graph.Completed, Attempts: []graph.Attempt{{ID: "a1", Status: graph.Completed}}},
		{Index: 1, Status: graph.Running, Attempts: []graph.Attempt{{ID: "b1", Status: graph.Lost}, {ID: "b2", Status: graph.Unknown}}},
		{Index: 2, Status: graph.Skipped},
	}}
	for name, c := range map[string]struct {
		step   graph.Step
		stored graph.Status
		want   bool
	}{
		"start_is_there":                  {graph.Step{Starts: []graph.AttemptStart{{Electron: 1, ID: "b2"}}}, graph.Running, true},
		"start_is_not":                    {graph.Step{Starts: []graph.AttemptStart{{Electron: 1, ID: "b3"}}}, graph.Running, false},
		"end_is_there":                    {graph.Step{Ends: []graph.AttemptEnd{{Electron: 0, ID: "a1", Status: graph.Completed}}}, graph.Running, true},
		"end_is_not":                      {graph.Step{Ends: []graph.AttemptEnd{{Electron: 1, ID: "b2", Status: graph.Failed}}}, graph.Running, false},
		"unknown_is_there":                {graph.Step{Ends: []graph.AttemptEnd{{Electron: 1, ID: "b2", Status: graph.Unknown}}}, graph.Running, true},
		"skip_is_there":                   {graph.Step{Electrons: []graph.ElectronChange{{Electron: 2, From: graph.Pending, To: graph.Skipped}}}, graph.Running, true},
		"skip_is_not":                     {graph.Step{Electrons: []graph.ElectronChange{{Electron: 3, From: graph.Pending, To: graph.Skipped}}}, graph.Running, false},
		"waiting_says_nothing":            {graph.Step{Electrons: []graph.ElectronChange{{Electron: 1, From: graph.Running, To: graph.Running}}}, graph.Running, false},
		"finish_is_there":                 {graph.Step{Finish: &graph.DispatchEnd{}, Ends: []graph.AttemptEnd{{ID: "z"}}}, graph.Completed, true},
		"finish_is_not":                   {graph.Step{Finish: &graph.DispatchEnd{}}, graph.Running, false},
		"finish_of_the_deleted":           {graph.Step{Finish: &graph.DispatchEnd{}}, "", true},
		"begin_is_there":                  {graph.Step{Begin: now, Starts: []graph.AttemptStart{{Electron: 1, ID: "b3"}}}, graph.Running, true},
		"begin_is_not":                    {graph.Step{Begin: now, Starts: []graph.AttemptStart{{Electron: 1, ID: "b3"}}}, graph.Pending, false},
		"begin_came_too_late":             {graph.Step{Begin: now}, graph.Cancelled, false},
		"begin_with_finish_is_there":      {graph.Step{Begin: now, Finish: &graph.DispatchEnd{Status: graph.Completed}}, graph.Completed, true},
		"begin_with_finish_is_not":        {graph.Step{Begin: now, Finish: &graph.DispatchEnd{Status: graph.Completed}}, graph.Pending, false},
		"begin_with_finish_came_too_late": {graph.Step{Begin: now, Finish: &graph.DispatchEnd{Status: graph.Completed}}, graph.Cancelled, false},
	} {
		t.Run(name, func(t *testing.T) {
			run.Dispatch.Status = c.stored
			if got := landed(c.step, run); got != c.want {
				t.Errorf("landed is %v", got)
			}
		})
	}
}
