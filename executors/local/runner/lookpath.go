package runner

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Codes of refusals; the executor turns them into failures with the same codes.
const (
	CodeCommandNotFound = "command_not_found"
	CodeNotExecutable   = "not_executable"
	CodeValueTooLong    = "value_too_long"
	CodeDiskFull        = "disk_full"
	CodeInvalid         = "value_invalid"
	CodeStart           = "start"     // anything else that may go better next time
	CodeElsewhere       = "elsewhere" // a runner of another protocol has it, or may have it
	CodeMoved           = "moved"     // the state directory was taken from below this runner: another has to be started
)

// refusal is why an attempt was not started.
type refusal struct {
	code      string
	permanent bool
	err       error
}

func (r *refusal) Error() string { return r.err.Error() }

func refuse(code string, permanent bool, format string, args ...any) *refusal {
	return &refusal{code: code, permanent: permanent, err: fmt.Errorf(format, args...)}
}

// lookPath finds argv[0] on the PATH of the attempt, seen from its directory.
func lookPath(name, path, dir string) (string, error) {
	if name == "" {
		return "", refuse(CodeCommandNotFound, true, "the command is empty")
	}
	if strings.Contains(name, "/") {
		// Exec itself tells best what is wrong with it. But where nobody answers (a file
		// server is down) let this look wait, and not the fork, on which all others wait.
		abs := name
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(dir, name)
		}
		_ = unix.Access(abs, unix.X_OK)
		return name, nil
	}
	found := ""
	for d := range strings.SplitSeq(path, ":") {
		p := filepath.Join(orElse(d, "."), name)
		abs := p
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(dir, p)
		}
		var st unix.Stat_t
		if unix.Stat(abs, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		if unix.Access(abs, unix.X_OK) == nil {
			return abs, nil
		}
		found = p
	}
	if found != "" {
		return "", refuse(CodeNotExecutable, true, "%s is not executable for this user", found)
	}
	return "", refuse(CodeCommandNotFound, true, "command %q is not on the PATH of the task (%s)", name, path)
}

// execRefusal tells what an error of exec means.
func execRefusal(path string, argv []string, err error) *refusal {
	switch {
	case errors.Is(err, unix.ENOENT):
		if unix.Access(path, unix.F_OK) == nil {
			return refuse(CodeCommandNotFound, true, "%s: the interpreter named in its first line does not exist", path)
		}
		return refuse(CodeCommandNotFound, true, "command %q does not exist", argv[0])
	case errors.Is(err, unix.ENOTDIR):
		return refuse(CodeCommandNotFound, true, "command %q does not exist", argv[0])
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), errors.Is(err, unix.EISDIR):
		return refuse(CodeNotExecutable, true, "%s can't be executed by this user: %w", path, err)
	case errors.Is(err, unix.ENOEXEC):
		return refuse(CodeNotExecutable, true, "%s is no program: it has no #! line and no known format", path)
	case errors.Is(err, unix.E2BIG):
		return refuse(CodeValueTooLong, true, "arguments and environment are too long for exec: hand long values over in $LATTICED_ARGS")
	default:
		return refuse(CodeStart, false, "start %s: %w", path, err)
	}
}
