package directory

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// unitOf names the unit that a file is part of, and the file within it; false when it
// is part of none.
func (r *unitRules) unitOf(rel string) (id, within string, ok bool) {
	switch r.form {
	case aFolder:
		return splitDepth(rel, r.depth)
	case aSet:
		key, ok := r.key(rel)
		return key, rel, ok
	case eachFile:
	}
	return rel, path.Base(rel), true
}

// splitDepth cuts a path after so many folders; false when it has fewer.
func splitDepth(rel string, depth int) (folder, within string, ok bool) {
	at := 0
	for range depth {
		i := strings.IndexByte(rel[at:], '/')
		if i < 0 {
			return "", "", false
		}
		at += i + 1
	}
	return rel[:at-1], rel[at:], true
}

// key is what the files of one set share: what group.by captures, joined by slashes
// when there is more than one capture.
func (r *unitRules) key(rel string) (string, bool) {
	found := r.by.FindStringSubmatch(rel)
	if found == nil {
		return "", false
	}
	key := strings.Join(found[1:], "/")
	return key, strings.Trim(key, "/") != ""
}

// choice is a capture between words, such as (json|bin).
var choice = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\(([A-Za-z0-9._-]+(?:\|[A-Za-z0-9._-]+)+)\)`) })

// tellsApart finds the capture by which the files of one set would get different
// keys, the most common slip in group.by: globs of need name different words of it.
func tellsApart(by string, need []string) string {
	for _, found := range choice().FindAllStringSubmatch(by, -1) {
		named := map[string]bool{}
		for _, word := range strings.Split(found[1], "|") {
			if i := slices.IndexFunc(need, func(glob string) bool { return strings.Contains(glob, word) }); i >= 0 {
				named[need[i]] = true
			}
		}
		if len(named) > 1 {
			return found[1]
		}
	}
	return ""
}
