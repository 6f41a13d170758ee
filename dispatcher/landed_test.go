package dispatcher

import (
	"testing"

	"github.com/latticed/latticed/graph"
)

func TestLanded(t *testing.T) {
	run := graph.Run{Electrons: []graph.Electron{
		{Index: 0, Status: graph.Completed, Attempts: []graph.Attempt{{ID: "a1", Status: graph.Completed}}},
		{Index: 1, Status: graph.Running, Attempts: []graph.Attempt{{ID: "b1", Status: graph.Lost}, {ID: "b2", Status: graph.Unknown}}},
		{Index: 2, Status: graph.Skipped},
	}}
	for name, c := range map[string]struct {
		step    graph.Step
		running bool
		want    bool
	}{
		"start_is_there":       {graph.Step{Starts: []graph.AttemptStart{{Electron: 1, ID: "b2"}}}, true, true},
		"start_is_not":         {graph.Step{Starts: []graph.AttemptStart{{Electron: 1, ID: "b3"}}}, true, false},
		"end_is_there":         {graph.Step{Ends: []graph.AttemptEnd{{Electron: 0, ID: "a1", Status: graph.Completed}}}, true, true},
		"end_is_not":           {graph.Step{Ends: []graph.AttemptEnd{{Electron: 1, ID: "b2", Status: graph.Failed}}}, true, false},
		"unknown_is_there":     {graph.Step{Ends: []graph.AttemptEnd{{Electron: 1, ID: "b2", Status: graph.Unknown}}}, true, true},
		"skip_is_there":        {graph.Step{Electrons: []graph.ElectronChange{{Electron: 2, From: graph.Pending, To: graph.Skipped}}}, true, true},
		"skip_is_not":          {graph.Step{Electrons: []graph.ElectronChange{{Electron: 3, From: graph.Pending, To: graph.Skipped}}}, true, false},
		"waiting_says_nothing": {graph.Step{Electrons: []graph.ElectronChange{{Electron: 1, From: graph.Running, To: graph.Running}}}, true, false},
		"finish_is_there":      {graph.Step{Finish: &graph.DispatchEnd{}, Ends: []graph.AttemptEnd{{ID: "z"}}}, false, true},
		"finish_is_not":        {graph.Step{Finish: &graph.DispatchEnd{}}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := landed(c.step, run, c.running); got != c.want {
				t.Errorf("landed is %v", got)
			}
		})
	}
}
