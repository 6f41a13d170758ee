// Package graph holds the nouns of latticed and what can be decided about them by
// thinking alone: lattice documents and their checks, expressions, the order of
// electrons, and the scheduling state of one dispatch. It reads no file, asks no
// clock and starts no goroutine.
//
// # From text to a task
//
//	YAML, JSON ─► Decode ─► Source ─(Pack: the CLI adds the files)─► Lattice
//	             └────────────── Parse ───────────────────────────────┘
//	stored document ─► Load ─► Lattice        (the same, without looking for typing errors)
//
//	Lattice.Bind       inputs + defaults → effective inputs
//	Lattice.Condition  `if` of an electron
//	Lattice.Resolve    everything else of an electron, no expression left
//	Lattice.Compose    `output`, when all have ended
//
// A Lattice and a Template are immutable and may be used by any goroutine. What is
// wrong with a document or with inputs is an *Invalid, which lists all of it with
// line, column, path and a suggestion; what is wrong with a value at run time is an
// *EvalError.
//
// # States
//
// A dispatch; a terminal state never changes:
//
//	new ──start──► pending ──claimed──► running ──► completed   every electron completed or was skipped
//	 │                │                    ├──────► failed      one failed
//	 └────cancel──────┴──► cancelled ◄─────┘                    none failed, one was cancelled
//
// While anything of a cancelled dispatch runs it is running, with CancelRequestedAt.
//
// An electron:
//
//	pending ──start──► running ──► completed
//	 │   ▲                │ ├────► failed
//	 │   └─────retry──────┘ └────► cancelled    nothing of it is left
//	 ├──► skipped     its `if` is false, or reason upstream, upstream_skipped, stopped
//	 ├──► cancelled   somebody asked before it ran
//	 └──► failed      its values could not be computed, or a stop ended its retries
//
// An attempt:
//
//	running ◄──► unknown      could not be learned, is asked again; not a failure
//	   └──────────┴──► completed | failed | cancelled | lost     lost: nobody saw its end
//
// # Scheduling
//
// Progress follows the edges of a lattice. An electron may start when all it needs
// (by reference or by wait_for) have ended. When one of them
//
//   - completed, nothing stands in the way;
//   - was skipped by its `if`, those that refer to its data are skipped too
//     (upstream_skipped) unless the reference is optional, electrons.a?.result;
//     wait_for does not cascade;
//   - failed or was cancelled, or was skipped because of such a one, it is skipped
//     (upstream), at once and whatever the others do.
//
// So what runs does not depend on the order in which independent electrons end.
//
// With on_failure: stop the first failure ends all that has not started (stopped),
// and those that wait for a retry stay failed; what runs may finish.
//
// # Cost
//
// Expressions can't be interrupted. They are rewritten before they are compiled so
// that every loop and every copy pays from a budget (cost.go, rewrite.go); a chain of
// keys becomes one call that knows which key is missing (access.go).
package graph
