package directory

import (
	"time"

	"github.com/latticed/latticed/triggers"
)

// assembler makes events about units and sets of files out of what is seen of single
// files. It does no I/O but reading manifests through ground.read, and belongs to the
// goroutine of the watch.
type assembler interface {
	// restore takes over an entity of its own, one whose key begins with unitPrefix.
	// All of them come before the first saw.
	restore(c triggers.Change) error
	// saw is told of a file that counts or marks, in this version, unchanged since
	// (ns): of each one in the inventory at the start, then whenever one is new or
	// something about it has changed.
	saw(rel string, s stamp, since int64)
	// gone is told when a file is not there any more, under its old name when it was
	// renamed.
	gone(rel string)
	// due is when take is to be asked without news, in ns; 0: never.
	due() int64
	// take returns what is to be emitted now (ns).
	take(now int64) []report
}

// unitPrefix begins the keys of entities that are an assembler's; no path does.
const unitPrefix = "\x00"

// report is what an assembler has to say about one unit; it goes into one transaction.
type report struct {
	events   []triggers.Event
	entities []triggers.Change
}

// ground is what an assembler stands on.
type ground struct {
	dir    string               // dir_path, without a / at its end
	settle func() time.Duration // the quiet time that counts; known once the folder was opened
	// read returns up to limit bytes of a regular file below dir. Links are not followed.
	read func(rel string, limit int64) ([]byte, error)
	// baseline tells whether what is seen now is what was there before the trigger.
	baseline func() bool
}

// assembly is what the fields of a trigger say about units; the zero value means that
// events are about files.
type assembly struct {
	make   func(ground) assembler // nil: none
	counts func(rel string) bool  // files that matter although include leaves them out, such as markers; or nil
	once   bool                   // refire is never if nothing else is said
	late   bool                   // what is not complete at its deadline is held
	rules  *unitRules             // nil: events are about files
	scope  any                    // joins what the inventory is about: when it changes, a new baseline is taken
}
