package graph

import "errors"

// Status is where a dispatch, an electron or an attempt stands. The words are
// stored and shown as they are.
type Status string

// The states. Pictures of the transitions are in the package comment.
const (
	New       Status = "new"       // dispatch: a template, started only by hand
	Pending   Status = "pending"   // accepted, nothing of it runs
	Running   Status = "running"   // something of it may run
	Completed Status = "completed" // ended as asked
	Failed    Status = "failed"    // ended otherwise
	Cancelled Status = "cancelled" // ended because somebody asked; nothing of it is left
	Skipped   Status = "skipped"   // electron: never ran, see its reason
	Lost      Status = "lost"      // attempt: nobody saw its end
	Unknown   Status = "unknown"   // attempt: could not be learned yet
)

// Terminal tells whether s is final. A terminal state never changes.
func (s Status) Terminal() bool {
	switch s {
	case Completed, Failed, Cancelled, Skipped, Lost:
		return true
	case New, Pending, Running, Unknown:
		return false
	}
	return false
}

// ErrStale means that the thing had left the state a change started from, so
// nothing was changed.
var ErrStale = errors.New("the state has changed meanwhile")
