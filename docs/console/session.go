package console

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// limit is how long a command may take.
const limit = 2 * time.Minute

// Session is a bash that runs the commands of a page one after the other, so that
// later ones see the directory and the variables of earlier ones. It is used from
// one goroutine.
type Session struct {
	bash  *exec.Cmd
	stdin io.WriteCloser
	out   *os.File
	lines *bufio.Reader

	// Shown changes what a command printed before it is compared and written, so
	// that a page shows a reader's name and directory instead of the test's.
	Shown func(string) string

	// Typed changes what a page says before it is run or written, such as a port that
	// somebody else may use while the test runs.
	Typed func(string) string

	// Patience is how long a command that looks is repeated; 30 s by default.
	Patience time.Duration
}

// Start starts bash, a command that must run one reading its standard input.
func Start(bash *exec.Cmd) (*Session, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start a session: %w", err)
	}
	defer write.Close()
	stdin, err := bash.StdinPipe()
	if err != nil {
		read.Close()
		return nil, fmt.Errorf("start a session: %w", err)
	}
	bash.Stdout, bash.Stderr = write, write
	bash.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Close ends what the page left in the background
	if err := bash.Start(); err != nil {
		read.Close()
		return nil, fmt.Errorf("start a session: %w", err)
	}
	return &Session{bash: bash, stdin: stdin, out: read, lines: bufio.NewReader(read), Patience: 30 * time.Second}, nil
}

// Close ends the session and what it left running.
func (s *Session) Close() error {
	s.stdin.Close()
	err := syscall.Kill(-s.bash.Process.Pid, syscall.SIGTERM)
	_ = s.bash.Wait() // ended by our signal, or by itself before
	s.out.Close()
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the session: %w", err)
	}
	return nil
}

// Run runs a script and returns what it printed and its exit code.
func (s *Session) Run(script string) (string, int, error) {
	const end = "\x01end of command"
	line := fmt.Sprintf("eval %s </dev/null; printf '\\n%%s %%d\\n' '%s' \"$?\"\n", quote(script), end)
	if _, err := io.WriteString(s.stdin, line); err != nil {
		return "", 0, fmt.Errorf("run %q: %w", script, err)
	}
	if err := s.out.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", 0, fmt.Errorf("run %q: %w", script, err)
	}
	var out strings.Builder
	for {
		text, err := s.lines.ReadString('\n')
		if code, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), end+" "); ok {
			exit, err := strconv.Atoi(code)
			return strings.TrimRight(out.String(), "\n"), exit, err
		}
		out.WriteString(text)
		if err != nil {
			return out.String(), 0, fmt.Errorf("run %q: %w", script, err)
		}
	}
}

// looks matches commands that change nothing and may be repeated.
var looks = regexp.MustCompile(`^(sudo runuser -u \w+ -- )?(latticed (list|show|table|explain|logs|lattices|trigger (list|show|test|events|firings)|watch --status)|ls|cat|systemctl (status|is-active|show)|api)( |$)`)

func mayRepeat(script string) bool {
	return looks.MatchString(script) && !strings.Contains(script, " -d ")
}

// Check runs a command of a page and tells what it did differently.
func (s *Session) Check(c Command) error {
	deadline := time.Now().Add(s.Patience)
	for {
		out, exit, err := s.Run(s.typed(c.Script))
		if err != nil {
			return fmt.Errorf("line %d: %w; so far it printed\n%s", c.Line, err, out)
		}
		if s.Shown != nil {
			out = s.Shown(out)
		}
		if exit == c.Exit && Match(c.Output, out) {
			return nil
		}
		if !mayRepeat(c.Script) || time.Now().After(deadline) {
			return &Difference{Command: c, Output: out, Exit: exit}
		}
		<-time.After(200 * time.Millisecond)
	}
}

// Write writes a file of a page, where the commands run.
func (s *Session) Write(b Block) error {
	out, exit, err := s.Run(fmt.Sprintf("printf %%s %s >%s", quote(s.typed(b.Text)), quote(b.File)))
	if err == nil && exit != 0 {
		err = errors.New(out)
	}
	if err != nil {
		return fmt.Errorf("line %d: write %s: %w", b.Line, b.File, err)
	}
	return nil
}

func (s *Session) typed(text string) string {
	if s.Typed == nil {
		return text
	}
	return s.Typed(text)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
