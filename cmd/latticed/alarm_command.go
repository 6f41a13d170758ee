package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

const (
	alarmOutput = 4 << 10     // of a command's output that is logged
	alarmReason = 8 << 10     // of a reason that goes into the environment
	alarmPipes  = time.Second // for its children to let go of its output
)

// runnable tells whether a program is there.
func runnable(name string) error {
	_, err := exec.LookPath(name)
	return err
}

// runCommand delivers alarms with a program: JSON on its standard input, the most
// important in its environment. At the limit its process group is killed.
func runCommand(argv []string, log zerolog.Logger) deliver {
	return func(ctx context.Context, l letter, body []byte) error {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the configuration says so
		cmd.Env = append(alarmEnv(os.Environ()),
			"LATTICED_TRIGGER="+l.Trigger, "LATTICED_STATE="+string(l.State), "LATTICED_REASON="+clean(l.Reason))
		cmd.Stdin = bytes.NewReader(body)
		out := &clip{room: alarmOutput}
		cmd.Stdout, cmd.Stderr = out, out
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = alarmPipes
		err := cmd.Run()
		if errors.Is(err, exec.ErrWaitDelay) {
			err = nil // it ended well, and what it left in the background goes on
		}
		if said := out.String(); said != "" {
			log.Info().Str(keyTrigger, l.Trigger).Str("output", said).Msg("output of the alarm's command")
		}
		return err
	}
}

// clean makes a reason fit into an environment, and into a subject or a line of a log:
// it may name files. All of it is in the JSON.
func clean(s string) string {
	s = oneLine(s)
	if len(s) > alarmReason {
		s = strings.ToValidUTF8(s[:alarmReason], "") + "…"
	}
	return s
}

// alarmEnv is the daemon's environment without what systemd says to the daemon only.
func alarmEnv(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}

// clip keeps the beginning of what is written to it. exec writes from one goroutine
// when both outputs are the same.
type clip struct {
	room int
	kept []byte
	more bool
}

func (c *clip) Write(p []byte) (int, error) {
	n := min(len(p), c.room-len(c.kept))
	c.kept = append(c.kept, p[:n]...)
	c.more = c.more || n < len(p)
	return len(p), nil
}

func (c *clip) String() string {
	s := strings.TrimSpace(strings.ToValidUTF8(string(c.kept), "\ufffd"))
	if c.more {
		s += " …"
	}
	return s
}
