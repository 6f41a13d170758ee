package local

import (
	"testing"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// A daemon that dies between the end of an attempt in its database and its release has
// the next one settle it, also when the runner dies with it. What exited well and failed
// by what it left is a failure as any other.
func TestSettle_keeps_what_failed_after_it_exited_well(t *testing.T) {
	for name, and := range map[string]func(*place){"the_daemon_died": func(*place) {}, "the_runner_died_too": func(p *place) { p.killOnce() }} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			e := p.start()
			dirs := map[string]string{}
			for what, task := range map[string]executors.Task{
				executors.CodeOutputMissing:  task(kindBash, "echo x > left"),
				executors.CodeResultInvalid:  task(kindBash, "echo x > left; echo '{' > $LATTICED_RESULT"),
				executors.CodeResultTooLarge: task(kindBash, "echo x > left; (printf '\"'; head -c 2000000 /dev/zero | tr '\\0' x; printf '\"') > $LATTICED_RESULT"),
				"":                           task(kindBash, "echo x > left"),
			} {
				if what == executors.CodeOutputMissing {
					task.Outputs = []graph.Output{{Name: "o", Path: "o"}}
				}
				res := mustRun(t, e, task)
				if code(res) != what || res.ExitCode == nil || *res.ExitCode != 0 {
					t.Fatalf("it ended as %q: %+v", what, res.Error)
				}
				dirs[what] = res.WorkDir
			}
			if err := e.Check(t.Context()); err != nil { // all that was said before was heard
				t.Fatal(err)
			}
			_ = e.Close()
			and(p)
			if err := p.start().Settle(t.Context(), func(string) bool { return false }); err != nil {
				t.Fatal(err)
			}
			eventually(t, "what went well is gone", func() bool { return !exists(dirs[""]) })
			for what, dir := range dirs {
				if what != "" && !exists(dir+"/left") {
					t.Errorf("what failed with %s is gone", what)
				}
			}
		})
	}
}
