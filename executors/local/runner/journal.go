package runner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// The journal remembers starts and ends for a runner that comes after this one: it
// has to survive processes, not power, so nothing is synced. It is one preallocated
// file of frames, length (4) checksum (4) record, ended by zeros; a torn tail ends it
// too. A record is appended before what it announces can be seen by anybody else.
type journal struct {
	path string
	boot string

	mu    sync.Mutex
	f     *os.File
	size  int64             // preallocated
	end   int64             // where the next frame goes
	live  map[string][]byte // frames of the attempts not yet forgotten
	bytes int64             // of live
}

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
	case recPrepare, recUndo:
	case recRelease:
		c.bool(&r.Keep)
	}
}

// known tells whether the record is of a kind that this program reads.
func (r *record) known() bool { return r.Kind >= recHeader && r.Kind <= recUndo }

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

// readJournal returns what a journal tells about attempts of this boot.
func readJournal(path, boot string) ([]record, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	recs := readFrames(b)
	if len(recs) == 0 || recs[0].Kind != recHeader || recs[0].Boot != boot {
		return nil, nil
	}
	if v := recs[0].Version; v != journalVersion {
		return nil, fmt.Errorf("the journal %s has version %d, this program reads %d: its attempts would be started again", path, v, journalVersion)
	}
	return recs[1:], nil
}

// newJournal replaces what is at path by a journal that holds recs.
func newJournal(path, boot string, recs []record) (*journal, error) {
	j := &journal{path: path, boot: boot, live: map[string][]byte{}}
	for i := range recs {
		frame := appendFrame(nil, &recs[i])
		j.live[recs[i].Attempt] = append(j.live[recs[i].Attempt], frame...)
		j.bytes += int64(len(frame))
	}
	if err := j.rewrite(); err != nil {
		return nil, err
	}
	return j, nil
}

// append writes r. An intent is refused unless there is room for its end as well.
func (j *journal) append(r *record) error {
	frame := appendFrame(nil, r)
	j.mu.Lock()
	defer j.mu.Unlock()
	room := int64(0)
	if r.Kind == recPrepare {
		room = int64(len(j.live)+1) * tailRoom
	}
	if j.end+int64(len(frame))+room > j.size {
		if err := j.rewrite(); err != nil {
			return err
		}
	}
	if _, err := j.f.WriteAt(frame, j.end); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	j.end += int64(len(frame))
	j.live[r.Attempt] = append(j.live[r.Attempt], frame...)
	j.bytes += int64(len(frame))
	return nil
}

// forget drops an attempt; the next rewrite leaves it out.
func (j *journal) forget(attempt string) {
	j.mu.Lock()
	j.bytes -= int64(len(j.live[attempt]))
	delete(j.live, attempt)
	j.mu.Unlock()
}

// rewrite puts the live frames into a new file with room for as many again. When
// there is no space for it the old one goes on being used.
func (j *journal) rewrite() (err error) {
	head := appendFrame(nil, &record{Kind: recHeader, Boot: j.boot, Version: journalVersion})
	size := max(journalSize, 2*(int64(len(head))+j.bytes+int64(len(j.live)+1)*tailRoom))
	f, err := os.OpenFile(j.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make a journal: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(j.path + ".new")
		}
	}()
	if err := preallocate(f, size); err != nil {
		return fmt.Errorf("make room for the journal: %w", err)
	}
	buf := head
	for _, frames := range j.live {
		buf = append(buf, frames...)
	}
	if _, err := f.WriteAt(buf, 0); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := os.Rename(j.path+".new", j.path); err != nil {
		return fmt.Errorf("replace the journal: %w", err)
	}
	if j.f != nil {
		_ = j.f.Close()
	}
	j.f, j.size, j.end = f, size, int64(len(buf))
	return nil
}

func (j *journal) close() error { return j.f.Close() }

// preallocate makes f size bytes long, with blocks behind them.
func preallocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	zeros := make([]byte, 64<<10)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}
