package runner

import (
	"errors"
	"fmt"
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
	if j.f != nil && j.isGone() { // what lies there is another runner's
		return fmt.Errorf("make a journal: %s was moved or removed", j.path)
	}
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

// gone tells whether the journal is no longer what lies at its path: somebody has moved
// or wiped the state directory, and what is there now, if anything, is not ours.
func (j *journal) gone() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.isGone()
}

func (j *journal) isGone() bool {
	var ours, there unix.Stat_t
	if unix.Fstat(int(j.f.Fd()), &ours) != nil {
		return false
	}
	if err := unix.Stat(j.path, &there); err != nil {
		return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
	}
	return ours.Dev != there.Dev || ours.Ino != there.Ino
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
