package local

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors/local/runner"
)

// liveLog reads a log that grows, and of which the runner may cut out the middle at any
// time: a hole, which would read as zeros, reads as one line that tells its length. Its
// offsets count what is read, so Seek sees the log as it stood when its end or start
// was last looked for. One goroutine uses it.
type liveLog struct {
	f    *os.File
	at   int64  // the next byte of the file
	text []byte // to be read before it: what is left of the line for a hole
	pos  int64  // what Seek calls the present offset
	view []span // since the last Seek; nil: as the file
}

// span is a part of a log as its reader sees it: bytes of the file, or the line for a
// hole, after which the file is read on at next.
type span struct {
	at   int64  // as the reader counts
	text string // of a hole
	next int64  // the byte of the file that follows the text
}

func (l *liveLog) Close() error { return l.f.Close() }

func (l *liveLog) Read(b []byte) (int, error) {
	n, err := l.read(b)
	l.pos += int64(n)
	return n, err
}

func (l *liveLog) read(b []byte) (int, error) {
	for len(l.text) == 0 {
		n, err := l.f.ReadAt(b, l.at)
		if n == 0 {
			return 0, err
		}
		zero := bytes.IndexByte(b[:n], 0)
		if zero != 0 {
			if zero > 0 {
				n = zero // what follows is looked at when it comes first
			}
			l.at += int64(n)
			return n, nil
		}
		// Zeros that the attempt has written, or a hole. One that is made after this read
		// is seen as well, so that no zero of it is taken for the attempt's.
		data, end := l.extent(l.at)
		if data == l.at {
			n = int(min(int64(n), end-l.at))
			l.at += int64(n)
			return n, nil
		}
		l.text, l.at = []byte(runner.LeftOut(data-l.at)), data
	}
	n := copy(b, l.text)
	l.text = l.text[n:]
	return n, nil
}

// extent finds the next bytes at or after at that are no hole: they begin at data and go
// on to end. A file system that knows no holes has none.
func (l *liveLog) extent(at int64) (data, end int64) {
	fd := int(l.f.Fd())
	data, err := unix.Seek(fd, at, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // nothing but a hole up to the end
		if size, err := unix.Seek(fd, 0, io.SeekEnd); err == nil && size > at {
			return size, size
		}
		return at, math.MaxInt64
	case err != nil:
		return at, math.MaxInt64
	}
	if end, err = unix.Seek(fd, data, unix.SEEK_HOLE); err != nil || end <= data {
		end = math.MaxInt64
	}
	return data, end
}

// Seek implements io.Seeker.
func (l *liveLog) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		if offset == 0 {
			return l.pos, nil
		}
		offset += l.pos
	case io.SeekEnd:
		size, err := l.look()
		if err != nil {
			return 0, err
		}
		offset += size
	}
	if offset < 0 {
		return 0, os.ErrInvalid
	}
	l.pos = offset
	l.text, l.at = l.place(offset)
	return offset, nil
}

// place finds what is at an offset of the reader: perhaps some text, then bytes of the file.
func (l *liveLog) place(offset int64) (text []byte, at int64) {
	for _, s := range slices.Backward(l.view) {
		in := offset - s.at
		switch {
		case in < 0:
		case in < int64(len(s.text)):
			return []byte(s.text[in:]), s.next
		default:
			return nil, s.next + in - int64(len(s.text))
		}
	}
	return nil, offset
}

// look sees the log as it stands now and returns its length as the reader counts it.
func (l *liveLog) look() (int64, error) {
	info, err := l.f.Stat()
	if err != nil {
		return 0, err
	}
	l.view = nil
	seen := int64(0)
	for at := int64(0); at < info.Size(); {
		data, end := l.extent(at)
		data, end = min(data, info.Size()), min(end, info.Size())
		s := span{at: seen, next: data}
		if data > at {
			s.text = runner.LeftOut(data - at)
		}
		l.view = append(l.view, s)
		seen += int64(len(s.text)) + end - data
		at = end
	}
	return seen, nil
}
