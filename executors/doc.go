// Package executors says what it takes to run an attempt of an electron somewhere.
//
// A kind of executor is one type with one blocking method, Run; what else it can do it
// shows by the small interfaces beside it (Handler, Logger, Checker, Settler). Kinds
// live in sub-folders: executors/local is the first. executors/executortest is the
// suite each of them passes, one test per sentence of the contract.
//
//	task ──► Run ──► (Result, nil)        it ended; Result says how
//	              ├► Permanent(err)       it can't be started, ever
//	              ├► ErrLost              it may have run; nobody saw its end
//	              ├► ErrUnknown           ask again; nothing is known
//	              └► any other error      not started now; try again
//
// Whoever calls Run owns the goroutine it runs in. An executor judges what happened to
// processes; whether to try again is the dispatcher's business, because every attempt
// is a row.
package executors
