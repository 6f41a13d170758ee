package console

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Difference is what a command did instead of what the page says.
type Difference struct {
	Command Command
	Output  string
	Exit    int
}

func (d *Difference) Error() string {
	c := d.Command
	return fmt.Sprintf("line %d: $ %s\nended with %d and printed\n%s\nbut the page says %d and\n%s",
		c.Line, c.Script, d.Exit, d.Output, c.Exit, strings.Join(c.Output, "\n"))
}

// Rewrite puts into a page what its commands printed.
func Rewrite(page string, found []*Difference) string {
	lines := strings.Split(page, "\n")
	for _, d := range slices.Backward(found) { // from the end, so that line numbers hold
		c := d.Command
		first := c.Line + strings.Count(c.Script, "\n")
		var printed []string
		if d.Output != "" {
			printed = strings.Split(d.Output, "\n")
		}
		lines = slices.Replace(lines, first, first+len(c.Output), printed...)
	}
	return strings.Join(lines, "\n")
}

// Play runs the blocks of the page at path. With update, what commands print now is
// written into the page; only exit codes have to be as it says.
func (s *Session) Play(path string, update bool) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	blocks, err := Parse(string(page))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var found []*Difference
	var wrong []error
	for _, b := range blocks {
		if b.File != "" {
			if err := s.Write(b); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		for _, c := range b.Commands {
			err := s.Check(c)
			var d *Difference
			if errors.As(err, &d) && update {
				found = append(found, d)
				if d.Exit == c.Exit {
					continue
				}
				wrong = append(wrong, fmt.Errorf("%s: %w", path, err))
			} else if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if len(found) > 0 {
		if err := os.WriteFile(path, []byte(Rewrite(string(page), found)), 0o644); err != nil {
			return err
		}
	}
	return errors.Join(wrong...)
}
