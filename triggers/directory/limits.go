package directory

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// LimitError means that the kernel gives no more watches.
type LimitError struct {
	What   string // "watches" or "instances"
	Used   int    // by this process
	Limit  int    // of the user or the namespace; 0: unknown
	Sysctl string // what to raise
}

func (e *LimitError) Error() string {
	numbers := fmt.Sprintf("%s used %d", e.What, e.Used)
	if e.Limit > 0 {
		numbers = fmt.Sprintf("%s used / limit: %d / %d", e.What, e.Used, e.Limit)
	}
	return fmt.Sprintf("the limit of inotify is reached (%s); raise it with: sysctl %s", numbers, e.Sysctl)
}

// limitError translates what the kernel answers at its limits: "no space left" and
// "too many open files" mislead people.
func (h *hub) limitError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return &LimitError{"watches", int(h.watches.Load()), inotifyLimit("watches"), "fs.inotify.max_user_watches=" + raised("watches", 524288)}
	case errors.Is(err, syscall.EMFILE):
		return &LimitError{"instances", int(h.instances.Load()), inotifyLimit("instances"), "fs.inotify.max_user_instances=" + raised("instances", 1024)}
	}
	return err
}

// raised is a value that is more than the present limit.
func raised(what string, atLeast int) string {
	return strconv.Itoa(max(atLeast, 2*inotifyLimit(what)))
}

// inotifyLimit reads a limit of the kernel, for this user namespace if that is less;
// 0: unknown.
func inotifyLimit(what string) int {
	limit := 0
	for _, name := range []string{"/proc/sys/fs/inotify/max_user_" + what, "/proc/sys/user/max_inotify_" + what} {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}
