// Package local runs attempts as processes of this machine.
//
// The processes belong to a runner (package runner), which outlives this process:
//
//	Executor.Run ──Start (argv, env, files as descriptors)──► runner ──fork──► attempt
//	     ▲                                                      │
//	     └──Ended (how, logs, result, outputs as descriptors)───┘◄──reap───────┘
//	     └──Release (stored; the directory may go)──────────────►
//
// One connection carries all attempts. When it drops, every Run asks again: the runner,
// or the one that comes after it, knows from its journal what has become of the attempt.
// An attempt that may have been started is only joined; it is sent whole when no runner
// has ever seen it, so none runs twice.
//
// This package knows what a task means (bash, python, results, outputs, error codes);
// the runner knows processes and files and nothing else.
//
// Goroutines: one reads each connection and belongs to the Executor until Close. Run
// starts none.
package local
