package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
)

// Control files lie flat in the working directory, hidden from a task's globs.
const (
	argsFile   = ".args.json"
	resultFile = ".result"
	pickleFile = ".result.pickle"
	reportFile = ".report"
	scriptFile = ".script.sh"
	shimFile   = ".shim.py"
	codeFile   = ".main.py"
)

const (
	maxString = 128<<10 - 1 // exec takes 128 KiB with the closing NUL
	maxTotal  = 4 << 20     // of all of them; the kernel's own limit is lower on most machines

	// Files up to inlineMax travel in the message until inlineTotal is reached; the
	// others as descriptors, so that neither side holds them in memory.
	inlineMax   = 64 << 10
	inlineTotal = 512 << 10
	maxFiles    = 4096
)

// job is a task made ready for the runner.
type job struct {
	task    *executors.Task
	argv    []string
	env     []string
	files   []laid
	collect []string
	outputs []string
}

// laid is a file to be laid out.
type laid struct {
	executors.File
	mode    int64
	control bool // ours, and not the task's
}

// shebang begins what says how it is to be run.
var shebang = []byte("#!") //nolint:gochecknoglobals // a constant

// prepare turns a task into what the runner has to do. What is wrong with it will be
// wrong every time.
func (e *Executor) prepare(t *executors.Task) (*job, error) {
	j := &job{task: t, collect: []string{resultFile}}
	for _, f := range t.Files {
		if err := j.layTask(f); err != nil {
			return nil, executors.Permanent(err)
		}
	}
	if t.Args != nil {
		b, err := json.Marshal(t.Args)
		if err != nil {
			return nil, executors.Permanent(executors.Failf(executors.CodeValueInvalid, "arguments: %w", err))
		}
		j.lay(argsFile, b)
	}
	if err := j.body(); err != nil {
		return nil, executors.Permanent(err)
	}
	j.environment(*e.env.Load(), runner.AttemptDir(e.o.StateDir, t.Attempt))
	for _, o := range t.Outputs {
		if !filepath.IsLocal(o.Path) {
			return nil, executors.Permanent(executors.Failf(executors.CodeOutputInvalid,
				"output %s: %q does not lie in the working directory", o.Name, o.Path))
		}
		j.outputs = append(j.outputs, filepath.Clean(o.Path))
	}
	if err := j.check(t.Unset); err != nil {
		return nil, executors.Permanent(err)
	}
	return j, nil
}

// lay adds a control file.
func (j *job) lay(name string, data []byte) {
	j.files = append(j.files, laid{executors.File{Name: name, Size: int64(len(data)), Data: data}, 0o644, true})
}

// layTask adds a file of the task. What says how it is to be run may be run.
func (j *job) layTask(f executors.File) error {
	if !filepath.IsLocal(f.Name) || strings.ContainsRune(f.Name, 0) {
		return executors.Failf(executors.CodeValueInvalid, "file %q does not lie in the working directory", f.Name)
	}
	mode := int64(0o644)
	if f.ReadOnly {
		mode = 0o444
	}
	if bytes.HasPrefix(f.Data, shebang) {
		mode |= 0o111
	}
	f.Name = filepath.Clean(f.Name)
	j.files = append(j.files, laid{f, mode, false})
	return nil
}

// environment orders the variables: the configuration's, the electron's, ours.
func (j *job) environment(extra []string, dir string) {
	t := j.task
	env := slices.Clone(extra)
	for _, k := range slices.Sorted(maps.Keys(t.Env)) {
		env = append(env, k+"="+t.Env[k])
	}
	env = append(env,
		"LATTICED_DISPATCH_ID="+t.Dispatch,
		"LATTICED_ELECTRON="+t.Electron,
		"LATTICED_ATTEMPT="+t.Attempt,
		"LATTICED_RESULT="+filepath.Join(dir, resultFile),
	)
	if t.Args != nil {
		env = append(env, "LATTICED_ARGS="+filepath.Join(dir, argsFile))
	}
	j.env = lastOf(env, t.Unset)
}

// lastOf keeps the last value of each variable and drops those of unset.
func lastOf(env, unset []string) []string {
	last := make(map[string]int, len(env))
	for i, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		last[k] = i
	}
	for _, k := range unset {
		if !strings.HasPrefix(k, "LATTICED_") {
			delete(last, k)
		}
	}
	out := env[:0:0]
	for i, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		if at, ok := last[k]; ok && at == i {
			out = append(out, kv)
		}
	}
	return out
}

// message is what the runner is told, without the files. Task.Resources is for executors
// that ask somebody for them; here nothing is reserved and nothing limited.
func (j *job) message() *runner.Start {
	return &runner.Start{
		Attempt: j.task.Attempt, Argv: j.argv, Env: j.env, Unset: j.task.Unset,
		Collect: j.collect, Outputs: j.outputs,
		Timeout: j.task.Timeout.Microseconds(), Grace: j.task.Grace.Microseconds(),
	}
}

// open adds the files to m. The descriptors are valid until the returned function is called.
func (j *job) open(m *runner.Start) (fds []int, closeAll func(), err error) {
	var opened []*os.File
	closeAll = func() {
		for _, f := range opened {
			_ = f.Close()
		}
	}
	inline := 0
	for _, f := range j.files {
		p := runner.Piece{Name: f.Name, Size: f.Size, Mode: f.mode}
		if (f.Data != nil || f.Open == nil) && len(f.Data) <= inlineMax && inline+len(f.Data) <= inlineTotal {
			inline += len(f.Data)
			p.Data = f.Data
			m.Files = append(m.Files, p)
			continue
		}
		file, err := openFile(f.File)
		if err != nil {
			return nil, closeAll, fmt.Errorf("file %s of the task: %w", f.Name, err)
		}
		opened = append(opened, file)
		fds = append(fds, int(file.Fd()))
		p.FD = true
		if head := [2]byte{}; !f.control && f.Data == nil {
			if n, err := file.ReadAt(head[:], 0); err == nil && bytes.Equal(head[:n], shebang) {
				p.Mode |= 0o111
			}
		}
		m.Files = append(m.Files, p)
	}
	return fds, closeAll, nil
}

// openFile returns a file's bytes as something that can be handed over.
func openFile(f executors.File) (*os.File, error) {
	if f.Data == nil && f.Open != nil {
		return f.Open()
	}
	fd, err := unix.MemfdCreate("latticed", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	mem := os.NewFile(uintptr(fd), f.Name)
	if _, err := mem.Write(f.Data); err != nil {
		_ = mem.Close()
		return nil, err
	}
	return mem, nil
}

// extraEnv is what the configuration adds to every environment.
func extraEnv(set map[string]string, pass []string) []string {
	var out []string
	for _, k := range pass {
		if v, ok := os.LookupEnv(k); ok {
			out = append(out, k+"="+v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(set)) {
		out = append(out, k+"="+set[k])
	}
	return out
}
