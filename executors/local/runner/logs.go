package runner

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"
)

const cutStep = 1 << 20 // holes are made in steps of at least this

// cutLogs keeps the logs of running attempts to their head and tail by punching the
// middle out of the files. The space is free at once; the size of the file still
// tells how much was written.
func (r *runner) cutLogs() {
	r.mu.Lock()
	var all []*attempt
	for _, a := range r.attempts {
		if a.phase == running || a.phase == ending {
			all = append(all, a)
		}
	}
	r.mu.Unlock()
	for _, a := range all {
		for i := range a.logs {
			if r.cutLog(a, i) {
				go r.stop(a, CauseLogLimit)
			}
		}
	}
}

// cutLog makes one log's hole larger. It tells whether the log can't be cut and has
// become too large.
func (r *runner) cutLog(a *attempt, i int) bool {
	r.mu.Lock()
	fd, st, err := dupLog(a.logs[i], r.o.LogKeep)
	r.mu.Unlock()
	if err != nil || fd < 0 {
		return false
	}
	defer unix.Close(fd)
	if a.uncut {
		return st.Size > r.o.LogMax
	}
	block := max(4096, int64(st.Blksize)) //nolint:unconvert // not everywhere an int64
	from := max((r.o.LogKeep+block-1)/block*block, a.cut[i])
	to := (st.Size - r.o.LogKeep) / block * block
	if to-from < min(cutStep, r.o.LogKeep) {
		return false
	}
	const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	if err := unix.Fallocate(fd, mode, from, to-from); err != nil {
		a.uncut = errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS)
		return st.Size > r.o.LogMax
	}
	a.cut[i] = to
	return false
}

// dupLog returns a descriptor of a log of which something may be cut out, else -1. It
// is the caller's own, so that cutting, which may wait for a disk, needs no lock.
func dupLog(fd int, keep int64) (own int, st unix.Stat_t, err error) {
	if fd < 0 {
		return -1, st, nil
	}
	if err := unix.Fstat(fd, &st); err != nil || st.Size <= 2*keep {
		return -1, st, err
	}
	own, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return own, st, err
}

// openLogs opens both logs of an attempt for reading; -1 is an empty one. The daemon is
// to read them, and not to share an offset with anybody, so they are opened anew, by
// their descriptors while those are there: the attempt may have moved or removed the
// names. The caller holds r.mu, so that nobody closes them meanwhile.
func openLogs(a *attempt) (fds [2]int, problems [2]string) {
	for i, fd := range a.logs {
		path := a.logPath(i)
		if fd >= 0 {
			var st unix.Stat_t
			if unix.Fstat(fd, &st) == nil && st.Size == 0 {
				fds[i] = -1 // most are
				continue
			}
			path = "/proc/self/fd/" + strconv.Itoa(fd)
		}
		fds[i], problems[i] = openPlain(path, fd < 0)
	}
	return fds, problems
}

// openPlain opens a regular file for reading, and waits for nobody at the other end of
// something else.
func openPlain(path string, nofollow bool) (fd int, problem string) {
	flags := unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
	if nofollow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Open(path, flags, 0)
	switch {
	case err == nil:
		return regular(fd)
	case errors.Is(err, unix.ENOENT):
		return -1, ProblemMissing
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ELOOP):
		return -1, ProblemIrreg
	}
	return -1, systemProblem(err)
}

// logPiece is what is kept of a log: all of it, or head and tail with a line between.
func (r *runner) logPiece(dir, name string, fd int, problem string, fds *[]int) Piece {
	p := Piece{Name: name, Problem: problem}
	if fd < 0 {
		return p
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		p.Problem = systemProblem(err)
		return p
	}
	if st.Size > 2*r.o.LogKeep {
		cut, err := r.headAndTail(dir, fd, st.Size)
		_ = unix.Close(fd)
		if err != nil {
			p.Problem = systemProblem(err)
			return p
		}
		p.Omitted = st.Size - 2*r.o.LogKeep
		fd = cut
	}
	fill(&p, fd, fds)
	return p
}

// headAndTail composes what is shown of a log of which the middle is left out, in
// memory when the disk has no room for it.
func (r *runner) headAndTail(dir string, fd int, size int64) (int, error) {
	if out, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600); err == nil {
		if err := compose(out, fd, size, r.o.LogKeep); err == nil {
			return out, nil
		}
		_ = unix.Close(out)
	}
	out, err := unix.MemfdCreate("log", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("compose the log: %w", err)
	}
	if err := compose(out, fd, size, r.o.LogKeep); err != nil {
		_ = unix.Close(out)
		return -1, fmt.Errorf("compose the log: %w", err)
	}
	return out, nil
}

// LeftOut stands in a log for n bytes of its middle.
func LeftOut(n int64) string { return fmt.Sprintf("\n[latticed: %d bytes left out here]\n", n) }

func compose(out, fd int, size, keep int64) error {
	w := writer(out)
	if _, err := io.Copy(w, io.LimitReader(&reader{fd: fd}, keep)); err != nil {
		return err
	}
	if _, err := io.WriteString(w, LeftOut(size-2*keep)); err != nil {
		return err
	}
	_, err := io.Copy(w, io.LimitReader(&reader{fd: fd, at: size - keep}, keep))
	return err
}

// writer writes to a descriptor.
type writer int

func (w writer) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.Write(int(w), b[done:])
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}
