package directory

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latticed/latticed/triggers"
)

// trouble is why a folder can't be read.
type trouble struct{ err error }

func (t *trouble) Error() string { return t.err.Error() }
func (t *trouble) Unwrap() error { return t.err }

// failed shows why nothing is seen, and tries again soon.
func (w *watch) failed(t *trouble) {
	w.unwatch()
	w.lost = true
	w.nextGlance = time.Time{}
	w.retry = min(max(2*w.retry, rootEvery), rootMax)
	w.nextLook = time.Now().Add(w.retry)
	w.health(triggers.Failing, troubleWith(w.dir, t.err))
}

// hangs is called by the alarm, beside the goroutine that hangs.
func (w *watch) hangs() {
	w.hung.Store(true)
	w.health(triggers.Failing, fmt.Sprintf("%s has not answered for %s; is it on a file server that is gone?", w.path, patience))
}

// tellTurn tells after a turn what is different from what people were told last. How
// much it is the next look at everything says.
func (w *watch) tellTurn() {
	hung := w.hung.Swap(false)
	if w.lost || w.root == nil {
		return
	}
	w.hasten()
	if hung || w.troubles() != w.told {
		w.tell()
	}
}

// troubles are the kinds of trouble there are while the folder can be read.
type troubles struct {
	deaf, skipped, away bool
	distant             string
}

func (w *watch) troubles() troubles {
	return troubles{w.deaf > 0, w.skipped > 0, w.away > 0, w.distant}
}

// tell reports how well the folder can be watched.
func (w *watch) tell() {
	var reasons []string
	state := triggers.Active
	w.told = w.troubles()
	if w.deaf > 0 {
		state = triggers.Degraded
		what := "the folder"
		if w.recursive {
			what = fmt.Sprintf("%d of %d folders", w.deaf, len(w.folders)+1)
		}
		err := w.blind
		var limit *LimitError
		if errors.As(err, &limit) {
			err = limit
		}
		reasons = append(reasons, fmt.Sprintf("looks at %s every %s instead of being told: %v", what, brief(max(pollEvery, w.every)), err))
	}
	if w.cursor.Dev != w.root.dev {
		state = triggers.Degraded
		reasons = append(reasons, fmt.Sprintf("%s is another folder than before, on another file system: is it mounted? what was there is remembered, new files count; if it was replaced for good, remove this trigger and add it again", w.dir))
	}
	if w.away > 0 {
		state = triggers.Degraded
		reasons = append(reasons, fmt.Sprintf("%s known from a file system that is not there now: is it mounted? what was there is remembered; if it is gone for good, remove this trigger and add it again", files(int64(w.away))))
	}
	if w.skipped > 0 {
		state = triggers.Degraded
		reasons = append(reasons, fmt.Sprintf("%s can't be looked at: %v", count(w.skipped, "name"), w.skipErr))
	}
	if state == triggers.Active && w.distant != "" && w.polls() {
		reasons = append(reasons, fmt.Sprintf("looks every %s: %s, where other hosts write unseen", brief(max(pollEvery, w.every)), w.distant))
	}
	w.health(state, strings.Join(reasons, "; "))
}

// polls tells whether frequent looks are wanted besides or instead of hints.
func (w *watch) polls() bool {
	return w.mode == modePoll || w.mode == modeBoth || w.mode == modeAuto && w.distant != ""
}
