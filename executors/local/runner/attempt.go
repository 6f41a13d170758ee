package runner

import (
	"path/filepath"
	"time"
)

// phase is where an attempt stands:
//
//	starting ─► running ─► ending ─► ended ─► (released: forgotten)
//	    └─► refused: forgotten
type phase int

const (
	starting phase = iota
	running
	ending // its main process is gone, or it is being ended
	ended
)

// wish is what a session wants back from an attempt.
type wish struct {
	collect []string
	outputs []string
}

// attempt is guarded by runner.mu; fields marked † don't change after the start.
type attempt struct {
	id   string // †
	dir  string // †
	slot *slot  // † nil: none

	timeout time.Duration // †
	grace   time.Duration // †
	started time.Time     // †
	pid     int           // †
	from    int64         // † the main process started between these ticks
	to      int64         // †
	orphan  bool          // † its runner died: its processes aren't children of this one

	phase  phase
	cause  string
	timer  *time.Timer
	wishes map[*session]wish
	cond   Condition
	failed bool // though it exited well: see Failed

	gone   chan struct{} // closed when the main process has been reaped
	exit   int64         // -1: not by itself
	signal int64
	cpu    int64 // microseconds
	rss    int64
	at     time.Time // of the end of the main process
	notes  []string

	logs [2]int // descriptors until it is released, -1: none

	// Of the housekeeper alone.
	cut   [2]int64 // everything between LogKeep and this has been cut out
	uncut bool     // nothing can be cut out here
}

func newAttempt(id, dir string) *attempt {
	return &attempt{
		id: id, dir: dir, exit: -1, logs: [2]int{-1, -1},
		wishes: map[*session]wish{}, gone: make(chan struct{}),
	}
}

func (a *attempt) logPath(i int) string {
	return filepath.Join(a.dir, [2]string{stdoutName, stderrName}[i])
}
