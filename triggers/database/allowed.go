package database

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// allowed refuses files that may not be watched: the daemon's own database, since to
// open and close it beside the store would drop the store's locks, and what is outside
// of the folders that the administrator lets triggers look at.
func (p *pool) allowed(a address) error {
	if a.engine != engineSQLite {
		return nil
	}
	its, err := os.Stat(a.database)
	if err != nil {
		return err
	}
	if own, err := os.Stat(p.own); p.own != "" && err == nil && os.SameFile(own, its) {
		return &addressError{errors.New(a.database + " is latticed's own database, which can't be watched; kind dispatch watches what becomes of dispatches")}
	}
	if len(p.roots) == 0 {
		return nil
	}
	resolved, err := filepath.EvalSymlinks(a.database)
	if err != nil {
		return err
	}
	for _, root := range p.roots {
		if top, err := filepath.EvalSymlinks(root); err == nil && strings.HasPrefix(resolved, strings.TrimSuffix(top, "/")+"/") {
			return nil
		}
	}
	return &addressError{fmt.Errorf("%s is outside of the folders that paths.watch of the configuration names: %s", a.database, strings.Join(p.roots, ", "))}
}
