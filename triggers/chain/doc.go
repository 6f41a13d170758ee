// Package chain is the kind of trigger "dispatch": it fires when dispatches end.
//
// The store numbers the ends of dispatches in their order. A source reads on from the
// last one that it has seen, so ends that came while nobody looked are found, none comes
// twice, and what is changed after its end does not come again. The manager wakes the
// source when a dispatch has ended that it follows; it has no goroutine of its own while it waits.
//
// An event that the trigger itself has led to, over whichever other triggers, is of the
// next generation; the manager holds those from the third on.
package chain
