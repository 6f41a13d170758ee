// Package store keeps everything that must survive: lattices, dispatches, triggers,
// events, firings and assets, in one SQLite database and a folder of files.
//
//	callers ──► queue ──► writer ──► BEGIN IMMEDIATE
//	                                 SAVEPOINT, unit, RELEASE   (each caller's change)
//	                                 …
//	                                 COMMIT (fsync)  ──► watchers, answers
//	callers ──► read pool (mode=ro), beside the writer
//
// Every change is a unit: a function that runs inside a transaction, on the one
// connection that writes. Units that came while the last commit ran share the next
// one; a unit that is refused is rolled back alone. A unit may run twice, so it has no
// effect but on its transaction and on what it returns.
//
// Invariants:
//   - A change of state names the state it leaves; a late one is graph.ErrStale.
//   - An event names at most one firing, and a firing's dispatches are inserted with it.
//   - assets.refs counts the places that name an asset; a file under assets/ without a
//     row is nobody's and is swept.
//   - seq grows with every change over all objects and is handed out by the writer only.
//   - dispatches: new → pending → running → completed | failed | cancelled;
//     new and pending → cancelled.
//   - electrons: pending → running → completed | failed | cancelled, running → pending
//     (a retry waits), pending → skipped | cancelled. Without a row: pending.
//   - events: pending ↔ held → fired | skipped | rejected | dead; until then the
//     payload may be amended, which makes a held one pending.
//   - A dispatch that was asked to end has the mark in the transaction that asked; what
//     is counted of a trigger's dispatches in memory follows each commit.
//
// Goroutines, all of them owned by Store and ended by Close: the writer, and the
// keeper, which sweeps and prunes in the background.
package store
