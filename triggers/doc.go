// Package triggers turns events into dispatches.
//
//	Source.Run ─► Emit ─► Ledger.Record (tx: cursor + entities + events)
//	                       └► Decide (pure) ─► Ledger.Fire (tx: firing + events' ends + dispatches)
//
// When the gate has nothing to wait for, its decisions travel with the batch and
// both are one transaction.
//
// The Manager owns the goroutines: one for each source that has something to do, from
// which Emit is called; a source that waits, for an instant or a hint, has none (see
// Until). Events that wait for something (a slot, a full batch, the end of a pause) are
// rows with a reason. When what they wait for may have come, the trigger's gate is
// kicked: a short-lived goroutine decides again and leaves. Both work on the gate's
// state under its mutex. A backfill is one more goroutine of its trigger's, until it has
// emitted everything. What a request asks a source (a preview, an explanation, a count)
// is asked in a goroutine of its own, of which there are few at a time and which is left
// behind when it gets no answer. When Manager.Run returns none is
// alive, but those that hang in a call to the system; what these do when they come back
// is refused.
//
// A trigger's states:
//
//	preparing ─► active ◄─► degraded
//	    └──────────┴──► failing ──► (back-off, tried again)
//	any ─► paused ─► any            events are recorded and held
//
// An event's states; the last four are final and belong to exactly one firing:
//
//	pending ◄─► held ─► fired | skipped | rejected | dead
package triggers
