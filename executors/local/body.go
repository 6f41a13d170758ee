package local

import (
	_ "embed"
	"maps"
	"slices"

	"github.com/latticed/latticed/executors"
)

// shim runs a python electron: see its own comment.
//
//go:embed shim.py
var shim []byte

// The kinds of graph.Body.
const (
	kindRun    = "run"
	kindBash   = "bash"
	kindPython = "python"
)

// body sets what is executed.
func (j *job) body() error {
	b := j.task.Body
	switch b.Kind {
	case kindRun:
		if len(j.task.Argv) == 0 {
			return executors.Failf(executors.CodeCommandNotFound, "the command is empty")
		}
		j.argv = j.task.Argv
	case kindBash:
		j.lay(scriptFile, []byte(b.Bash))
		j.argv = []string{"bash", "--noprofile", "--norc", "-eo", "pipefail", scriptFile}
	case kindPython:
		j.python()
	default:
		return executors.Failf(executors.CodeValueInvalid, "the local executor can't run a body of kind %q", b.Kind)
	}
	return nil
}

func (j *job) python() {
	b := j.task.Body
	interpreter := b.Interpreter
	if interpreter == "" {
		interpreter = "python3"
	}
	j.lay(shimFile, shim)
	function := b.PythonFunc
	if function == "" {
		function = "main"
	}
	file := b.PythonFile
	if b.PythonCode != "" {
		file = codeFile
		j.lay(codeFile, []byte(b.PythonCode))
	}
	for _, arg := range slices.Sorted(maps.Keys(j.task.Pickles)) {
		f := j.task.Pickles[arg]
		f.Name = ".arg-" + arg + ".pickle"
		j.files = append(j.files, laid{f, 0o644, true})
	}
	j.argv = []string{interpreter, shimFile, file, function}
	j.collect = append(j.collect, pickleFile, reportFile)
}
