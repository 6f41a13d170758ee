package console

import (
	"fmt"
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
