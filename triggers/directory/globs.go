package directory

import (
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// filter says which names count.
type filter struct {
	include    []string
	exclude    []string
	ignoreCase bool
	partial    bool // files that are not whole yet count, too
}

// globs reads a list of globs: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of
// folders.
func globs(f *triggers.Fields, field string) []string {
	list := f.Words(field, nil)
	for i, glob := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case !doublestar.ValidatePattern(glob):
			f.Refuse(at, graph.CodeBadValue, "%q is not a glob: an open [ or {, or a \\ at its end", glob)
		case alternatives(glob) > maxAlternatives:
			f.Refuse(at, graph.CodeBadValue, "%q stands for more than %d globs; use several", glob, maxAlternatives)
		case strings.HasPrefix(glob, "/"):
			f.Refuse(at, graph.CodeBadValue, "%q begins with /, but globs are relative to dir_path", glob)
		}
	}
	return list
}

// maxAlternatives bounds what one comparison may cost.
const maxAlternatives = 1000

// alternatives is at least how many globs without {} a glob stands for, up to a little
// more than the limit.
func alternatives(glob string) int {
	n, choices := 1, 1
	for _, c := range glob {
		switch c {
		case '{', ',':
			choices++
		case '}':
			n, choices = n*choices, 1
		}
		if n > maxAlternatives {
			break
		}
	}
	return n * choices
}

// leaves tells which rule leaves a file out; empty when it counts. name is relative to
// the root.
func (c *filter) leaves(name string) string {
	if rule := c.prunes(path.Dir(name)); rule != "" {
		return rule
	}
	if glob := c.any(c.exclude, name); glob != "" {
		return fmt.Sprintf("exclude %q", glob)
	}
	if len(c.include) > 0 && c.any(c.include, name) == "" {
		return "not in include"
	}
	if !c.partial && unfinished(path.Base(name)) {
		return "the name of a file that is not whole yet; \"partial\": true counts such"
	}
	return ""
}

// prunes tells which rule leaves out a folder with all that is in it; empty when none.
func (c *filter) prunes(dir string) string {
	if len(c.exclude) == 0 {
		return ""
	}
	for ; dir != "." && dir != ""; dir = path.Dir(dir) {
		if glob := c.any(c.exclude, dir); glob != "" {
			return fmt.Sprintf("exclude %q of the folder %s", glob, dir)
		}
	}
	return ""
}

// any returns the first glob that a name matches. Without a slash, globs are about the
// base name; with one, about the whole.
func (c *filter) any(list []string, name string) string {
	base := path.Base(name)
	for _, glob := range list {
		of := base
		if strings.Contains(glob, "/") {
			of = name
		}
		if globMatches(glob, of, c.ignoreCase) {
			return glob
		}
	}
	return ""
}

// globMatches compares a name with a glob.
func globMatches(glob, name string, fold bool) bool {
	if fold {
		glob, name = strings.ToLower(glob), strings.ToLower(name)
	}
	return doublestar.MatchUnvalidated(glob, name)
}

// Names that programs give to files while they write them, or for themselves.
var (
	unfinishedEnds   = []string{".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".swp", ".swx"}
	unfinishedBegins = []string{".~", "~$", ".nfs", ".#", ".fuse_hidden", ".goutputstream-"}
	unfinishedNames  = []string{".DS_Store", "Thumbs.db"}
)

// unfinished tells whether a base name is that of a file that is not whole yet, or
// that is not data at all.
func unfinished(base string) bool {
	for _, end := range unfinishedEnds {
		if strings.HasSuffix(base, end) {
			return true
		}
	}
	for _, begin := range unfinishedBegins {
		if strings.HasPrefix(base, begin) {
			return true
		}
	}
	for _, name := range unfinishedNames {
		if base == name {
			return true
		}
	}
	return len(base) > 1 && base[0] == '#' && base[len(base)-1] == '#' || rsyncs(base)
}

const rsyncsLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// rsyncs tells whether a base name is of the form .NAME.XXXXXX, which rsync gives to
// files while it writes them.
func rsyncs(base string) bool {
	dot := len(base) - 7
	if dot < 2 || base[0] != '.' || base[dot] != '.' {
		return false
	}
	return strings.Trim(base[dot+1:], rsyncsLetters) == ""
}
