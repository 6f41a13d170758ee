// Package timer is the trigger kind "time". Exactly one field says when it ticks:
//
//	every: 10m  (time_gap: 600)    at a fixed rate, from when it was registered on
//	every: 10m, after: completion  so long after its last dispatch has ended
//	cron: "30 2 * * mon-fri"       by the clock on the wall of timezone
//	at: 2026-12-24T18:00:00        once, or at each instant of a list
//
// Each instant is one event: its key is the instant, in UTC. Instants do not drift: they
// are computed from the schedule, never from the tick before. A changed schedule begins
// at the moment of the change; what it would have done before is not its matter.
//
// # Clocks that are changed
//
// Where the hour of a cron is fixed (2, 8-18, 0,12) the clock on the wall counts, and
// dst says what becomes of readings that it never shows (gap) or shows twice (fold). In
// New York, 30 2 * * *:
//
//	8 March    02:30 is left out: gap shift ticks at 03:00, the first instant after; skip doesn't
//	1 November 0 1 * * * is shown twice: fold first ticks at 01:00 EDT, last at 01:00 EST, both at both
//
// Several readings that one gap leaves out make one tick. Where the hour is a wildcard or
// has a step (*, */2, 8-18/2) elapsed time counts: what a gap leaves out is read as if
// the clock had not been changed, and what is repeated ticks again. In New York:
//
//	8 March    0 */2 * * * ticks at 00:00 EST, 03:00 EDT (02:00 on the old clock), 04:00 EDT
//	8 March    */30 * * * * ticks each half hour, at 01:30 EST and then at 03:00 EDT
//	1 November 0 * * * * ticks at 01:00 EDT and, an hour later, at 01:00 EST
//
// So a fixed hour ticks once a day, and a wildcard never waits longer than it says. With
// gap: skip nothing is made up for the hour left out in either case. Local instants of at
// follow the rule for fixed hours. The zone is stored with the trigger: the machine may
// change its own.
//
// # What nobody saw
//
// Instants that pass while nobody watches are caught up with as catch_up says:
//
//	last  one tick, the last one; event.missed says how many it stands for beside itself
//	all   each, oldest first, but no more than cap may wait; the oldest are left out
//	none  no tick, if the last one is more than a minute ago
//
// and none that is longer ago than window. What is left out is one event that is skipped,
// with the reason window, cap or catch_up, and counts what it stands for in event.missed.
// A pause is no downtime: last holds one tick which counts the others, all holds each up
// to cap, none skips them.
//
// The source starts no goroutine, and has none while it waits.
package timer
