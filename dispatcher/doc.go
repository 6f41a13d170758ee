// Package dispatcher runs dispatches: it accepts requests, claims what is pending,
// walks the live ones and sees every attempt to its end.
//
//	Accept, Ledger ─► place, plan ─► Store.InsertDispatch, Ledger.Record (dispatch + starts) ─► walker ─► Executor.Run
//	Wake ─► Store.Pending ─► walker ─► Store.Advance(begin + starts) ─────────────────────────┘  ▲           │
//	                                                                                             └─ Advance ◄─┘
//
// The table is the queue: Wake carries no data, and everything in memory is rebuilt
// from Store.Live and Store.Pending after a crash. A bounded window of dispatches is
// live; the others are rows that wait. A dispatch for which there is room and a slot has
// its place and its plan before it is stored, and begins in the same transaction. Others
// enter the window without a write: they are pending until their first step says that
// they began, so that one whose process died before simply waits again.
//
// # Goroutines
//
// Run is the caller's. It owns one that heeds what Cancelled is told, and one walker
// for each live dispatch; a walker owns one goroutine for each attempt that runs, which
// are at most Options.Parallel for each executor (attempts found again after a restart
// may be more), and one for each look at the files that an electron reads. When Run
// returns all of them are gone; only calls to a file server that doesn't answer are left
// behind, at most looksMax of them. Everything but Run may be called from anywhere,
// before, during and after Run.
//
// # Invariants
//
//   - A start is durable before Executor.Run is called for it.
//   - The ends that arrived while a commit ran and the starts that follow from them are
//     one graph.Step, hence one transaction.
//   - A step that can't be stored is tried again until it is, or until Run's context
//     ends; then its attempts are asked again by the next process.
//   - A step that doesn't fit the stored state (ErrStale) ends the walker, which starts
//     over from the store. So does a panic.
//   - Release is called after the end of an attempt is durable, never before.
//   - What is accepted or fired while there is room and nothing older waits enters the window
//     at once; everything else is read from the table, oldest first.
//   - A place is given back before its maker returns, unless the dispatch was stored as
//     running, which then has a walker; Run waits for that.
//   - A dispatch that was cancelled before its first step was stored never begins.
//   - Nothing is looked up for a fingerprint before an attempt has begun, and what a reuse
//     takes over belongs to the new dispatch with the step that says so.
//   - Unknown is not failed: an attempt whose state can't be learned is asked again.
package dispatcher
