package runner

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	journalVersion = 1
	journalSize    = 256 << 10
	frameHeader    = 8
	maxRecord      = 64 << 10
	// tailRoom is kept free for every live attempt, so that an end can always be
	// written: pid, end and release take less.
	tailRoom = 1536
	maxNotes = 600 // bytes of notes in a record
)

// What a record says.
const (
	recHeader  = iota + 1
	recPrepare // about to make its directory
	recIntent  // about to fork; without recPID the process is found by its tag
	recPID     // forked
	recEnd     // ended
	recRelease // the daemon has stored the end
	recUndo    // the process of the last intent was never made; the attempt may come again
	recFailed  // it exited well and failed: its directory is wanted
)

type record struct {
	Kind    int64
	Attempt string
	Boot    string // header
	Version int64  // header

	Slot    string // intent: its cgroup, empty when it has none
	Timeout int64  // intent, microseconds
	Grace   int64  // intent, microseconds
	At      int64  // intent: start, end: end; microseconds since 1970

	PID      int64 // pid
	From, To int64 // pid: it started between these clock ticks since boot

	Cause  string // end
	Exit   int64
	Signal int64
	CPU    int64
	MaxRSS int64
	Notes  []string

	Keep bool // release
}

func (r *record) fields(c *coder) {
	c.int(&r.Kind)
	c.text(&r.Attempt)
	switch r.Kind {
	case recHeader:
		c.text(&r.Boot)
		c.int(&r.Version)
	case recIntent:
		c.text(&r.Slot)
		c.int(&r.Timeout)
		c.int(&r.Grace)
		c.int(&r.At)
	case recPID:
		c.int(&r.PID)
		c.int(&r.From)
		c.int(&r.To)
	case recEnd:
		c.int(&r.At)
		c.text(&r.Cause)
		c.int(&r.Exit)
		c.int(&r.Signal)
		c.int(&r.CPU)
		c.int(&r.MaxRSS)
		c.texts(&r.Notes)
	case recPrepare, recUndo, recFailed:
	case recRelease:
		c.bool(&r.Keep)
	}
}

// known tells whether the record is of a kind that this program reads.
func (r *record) known() bool { return r.Kind >= recHeader && r.Kind <= recFailed }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendFrame(b []byte, r *record) []byte {
	at := len(b)
	c := coder{buf: append(b, make([]byte, frameHeader)...)}
	r.fields(&c)
	body := c.buf[at+frameHeader:]
	binary.LittleEndian.PutUint32(c.buf[at:], uint32(len(body)))
	binary.LittleEndian.PutUint32(c.buf[at+4:], crc32.Checksum(body, castagnoli))
	return c.buf
}

// readFrames returns the records of b up to its end or the first torn one. What a later
// program may have added to the journal of the same protocol is passed over.
func readFrames(b []byte) []record {
	var out []record
	for len(b) >= frameHeader {
		n := binary.LittleEndian.Uint32(b)
		if n == 0 || n > maxRecord || int(n) > len(b)-frameHeader {
			break
		}
		body := b[frameHeader : frameHeader+n]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
			break
		}
		var r record
		c := coder{buf: body, reading: true}
		r.fields(&c)
		if c.err != nil {
			break
		}
		if r.known() {
			out = append(out, r)
		}
		b = b[frameHeader+n:]
	}
	return out
}
