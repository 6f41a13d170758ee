package runner

import (
	"os"
	"path/filepath"
	"time"
)

// sweep removes the directories of attempts that nobody has asked for in a long time:
// those kept after a failure, and those left by a machine that went down.
func (r *runner) sweep(now time.Time) {
	if r.astray() {
		return // they are another runner's
	}
	entries, err := os.ReadDir(r.work)
	if err != nil {
		r.log.Error().Err(err).Msg("look for old working directories")
		return
	}
	for _, e := range entries {
		r.mu.Lock()
		_, known := r.attempts[e.Name()]
		r.mu.Unlock()
		if known || !e.IsDir() || !validAttempt(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > r.o.KeepDirs {
			removeDir(filepath.Join(r.work, e.Name()))
		}
	}
}
