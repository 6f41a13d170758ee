// Package runner is the small process that owns local attempts and outlives the
// daemon: `latticed runner`, one per state directory and Unix user.
//
//	daemon ──Start──► session ─► launch: journal "prepare", directory, files, logs,
//	                                      journal "intent", fork, journal "pid"
//	                  reaper  ─► settle: nothing left? ──► finish: journal "end" ─► Ended
//	                                └─► kill: TERM, grace, KILL, look ─┘
//	daemon ──Release─► journal "release", directory removed, forgotten
//
// What holds:
//
//   - An attempt is started at most once, whatever is asked how often: it is in the
//     table, or in the journal, before its process can exist.
//   - An end is reported only when nothing findable of the attempt is alive: in a control
//     group of its own where one can be made, else by session, process group, descent and
//     a tag in the environment. While something doesn't die, the attempt is running and
//     the condition "survivors" is told.
//   - An end stays in the journal until the daemon has said that it is stored.
//   - A runner that finds another one's unfinished attempts in the journal watches their
//     processes (known by pid, start time and boot) to their end and calls them lost.
//
// The runner knows nothing of tasks: it is given an argv, an environment and files, and
// gives back files and how it ended. Files cross as descriptors, so that its user needs
// no access to the daemon's files, nor the other way round.
//
// Goroutines: see the type runner.
package runner
