// Package webhook is the kind of trigger "webhook": something else says over HTTP that
// it is time.
//
//	POST /v1/hooks/X → Hub.Deliver: find, verify, rate → queue of the source ─┐
//	  202 ←──────────── the row is durable ←── emit ←── Source.Run ←── Wake ──┘
//
// The Hub knows the sources that run, by the hash of their secret path, by name and by
// id. A delivery waits in the queue of its source until the batch it is in is stored;
// those that come while a batch is being stored are the next one. Nothing is
// acknowledged that is not stored, and what is stored stays although the sender has
// gone: with the id of a delivery it learns the second time that it was known.
//
// There is no goroutine here: Deliver runs in that of its caller, Run in the manager's.
package webhook
