package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latticed/latticed/triggers"
)

// hinted is how many folders a hint names.
const hinted = 3

// watched is a folder, or a file, that a trigger looks at.
type watched struct{ trigger, path string }

// uncovered says which folders near a path are watched, when the path is not: by no
// trigger, or not by the only one that was asked.
func (s *Server) uncovered(ctx context.Context, path, trigger string, found []triggers.Explanation) (string, error) {
	if trigger != "" && len(found) == 1 {
		w := folderOf(found[0].Trigger)
		if w.path == "" || w.covers(path) {
			return "", nil
		}
		return fmt.Sprintf("trigger %s watches %s", w.trigger, w.near(path)), nil
	}
	if len(found) > 0 {
		return "", nil
	}
	all, err := s.o.Store.Triggers(ctx)
	if err != nil {
		return "", err
	}
	var folders []watched
	for _, t := range all {
		if w := folderOf(t); w.path != "" {
			folders = append(folders, w)
		}
	}
	return nearest(path, folders), nil
}

// folderOf is what a trigger looks at, if that is a path.
func folderOf(t triggers.Trigger) watched {
	var spec struct {
		DirPath string `json:"dir_path"`
	}
	if json.Unmarshal(t.Spec, &spec) != nil || spec.DirPath == "" {
		return watched{}
	}
	return watched{t.Name, filepath.Clean(spec.DirPath)}
}

// nearest names the watched folders that are fewest steps away from a path.
func nearest(path string, folders []watched) string {
	if len(folders) == 0 {
		return fmt.Sprintf("no trigger watches %s: none watches any folder", show(path))
	}
	folders = slices.SortedFunc(slices.Values(folders), func(a, b watched) int {
		return cmp.Or(cmp.Compare(steps(path, a.path), steps(path, b.path)), cmp.Compare(a.path, b.path), cmp.Compare(a.trigger, b.trigger))
	})
	var near []string
	for _, w := range folders[:min(len(folders), hinted)] {
		near = append(near, fmt.Sprintf("%s (trigger %s)", w.near(path), w.trigger))
	}
	return fmt.Sprintf("no trigger watches %s; the nearest that is watched: %s", show(path), strings.Join(near, ", "))
}

// near is the folder, with why the path is not covered although it is inside.
func (w watched) near(path string) string {
	if w.covers(path) {
		return show(w.path) + " but not the folders in it"
	}
	return show(w.path)
}

// covers tells whether the path is the folder or in it.
func (w watched) covers(path string) bool {
	return path == w.path || strings.HasPrefix(path, strings.TrimSuffix(w.path, "/")+"/")
}

// steps counts the folders that one goes up and down from one path to another.
func steps(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(as) && n < len(bs) && as[n] == bs[n] {
		n++
	}
	return len(as) + len(bs) - 2*n
}
