package directory

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"
)

// Limits of a manifest.
const (
	maxManifest      = 1 << 20
	maxManifestNames = 100_000
)

var (
	// hashed is a line of sha256sum and its like; a leading backslash says that the
	// name is escaped.
	hashed = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(\\?)(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{56}|[0-9a-fA-F]{64}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128}) [ *](.+)$`)
	})
	// tagged is the form of BSD and of --tag.
	tagged = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Z][A-Z0-9/-]{2,15} \((.+)\) = [0-9a-fA-F]{32,128}$`)
	})

	unescaped = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")
)

// parseManifest reads the names that a manifest lists: one in a line, alone or after
// its checksum. Empty lines and those that begin with # mean nothing. dir is the
// folder of the manifest within the unit, to which names are relative; none leads out
// of the unit.
func parseManifest(content []byte, dir string) ([]string, error) {
	if len(content) > maxManifest {
		return nil, fmt.Errorf("has more than %d bytes", maxManifest)
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	var names []string
	for n, line := range strings.Split(string(content), "\n") {
		name := manifestName(line)
		if name == "" {
			continue
		}
		if len(names) == maxManifestNames {
			return nil, fmt.Errorf("lists more than %d files", maxManifestNames)
		}
		within, ok := inside(dir, name)
		if !ok {
			return nil, fmt.Errorf("line %d names %q, which is outside of the folder", n+1, name)
		}
		names = append(names, within)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("lists no files")
	}
	return names, nil
}

// manifestName is what one line lists, empty when nothing.
func manifestName(line string) string {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return ""
	}
	if m := hashed().FindStringSubmatch(line); m != nil {
		if m[1] != "" {
			return unescaped.Replace(m[2])
		}
		return m[2]
	}
	if m := tagged().FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return line
}

// inside resolves a name relative to a folder of the unit; false when it leads out.
func inside(dir, name string) (string, bool) {
	if path.IsAbs(name) || strings.ContainsRune(name, 0) {
		return "", false
	}
	p := path.Join(dir, name)
	return p, p != ".." && p != "." && !strings.HasPrefix(p, "../") && !path.IsAbs(p)
}

// folders are all folders that hold one of the files, at any depth.
func foldersOf(files map[string]bool) map[string]bool {
	dirs := map[string]bool{}
	for file := range files {
		for dir := path.Dir(file); dir != "." && !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	return dirs
}

// absent are those of the names that are not there, the first ones, and how many. A
// name is there as a file or a folder; instruments on Windows write backslashes.
func absent(names []string, there map[string]bool) (first string, count int) {
	var dirs map[string]bool
	for _, name := range names {
		if there[name] || there[strings.ReplaceAll(name, `\`, "/")] {
			continue
		}
		if dirs == nil {
			dirs = foldersOf(there)
		}
		if dirs[name] {
			continue
		}
		if count++; count == 1 {
			first = name
		}
	}
	return first, count
}
