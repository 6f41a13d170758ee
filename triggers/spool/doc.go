// Package spool runs a source where there is no daemon, and keeps what it tells on disk
// until somebody has taken it: the inventory and the cursor of the source as a ledger
// would, and the events in the order in which they came.
//
//	source ─► Emit (tx: cursor + inventory + events) ─► Next ─► delivered elsewhere ─► Done
//	             └─► held: not complete yet              └─► Refuse: kept, and not in the way
//
// What is emitted survives power loss. Keys of events that were delivered are remembered,
// the latest of them, so that what is told twice is delivered once; who takes the events
// should know keys, too: after a crash between delivery and Done an event comes again.
//
// When what waits grows beyond the limit, Emit refuses (ErrFull): the inventory stays as
// it was, so that what was not spooled is found by the source later, in the world.
//
// Goroutines: none but who calls Watch, and what triggers.WatchClock starts for it. The
// other methods may be called from any goroutine. One process at a time has a spool;
// Read looks at it beside that.
package spool
