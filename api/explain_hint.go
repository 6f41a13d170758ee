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

// uncovered says why there is nothing to explain about a path: which folders near it
// are watched. With a trigger it is about that one.
func (s *Server) uncovered(ctx context.Context, path, trigger string) (string, error) {
	if trigger != "" {
		t, err := s.trigger(ctx, trigger)
		if err != nil {
			return "", err
		}
		if w := folderOf(t); w.path != "" {
			return fmt.Sprintf("trigger %s does not watch %s; it watches %s", t.Name, show(path), w.near(path)), nil
		}
		return fmt.Sprintf("trigger %s is of kind %s and watches no path", t.Name, t.Kind), nil
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
	if strings.HasPrefix(path, strings.TrimSuffix(w.path, "/")+"/") {
		return show(w.path) + " but not the folders in it"
	}
	return show(w.path)
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
