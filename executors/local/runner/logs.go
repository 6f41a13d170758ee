package runner

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

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
		over := false
		r.mu.Lock() // keeps the descriptors open; neither call waits for a disk
		for i, fd := range a.logs {
			over = r.cutLog(a, i, fd) || over
		}
		r.mu.Unlock()
		if over {
			go r.stop(a, CauseLogLimit)
		}
	}
}

// cutLog makes one log's hole larger. It tells whether the log can't be cut and has
// become too large.
func (r *runner) cutLog(a *attempt, i, fd int) bool {
	if fd < 0 {
		return false
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	if a.uncut {
		return st.Size > r.o.LogMax
	}
	const block = 4096
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

// logPiece is what is kept of a log: all of it, or head and tail with a line between.
// fd is -1 when the log isn't open.
func (r *runner) logPiece(a *attempt, i, fd int, fds *[]int) Piece {
	name := [2]string{stdoutName, stderrName}[i]
	p := Piece{Name: name[1:]}
	if fd >= 0 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Size == 0 {
			return p // most are empty
		}
	}
	// Opened anew: the daemon is to read it, and not to share its offset with anybody.
	fd, err := unix.Open(filepath.Join(a.dir, name), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		p.Problem = ProblemMissing
		return p
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		p.Problem = ProblemError + err.Error()
		return p
	}
	if st.Size > 2*r.o.LogKeep {
		cut, err := r.headAndTail(a.dir, fd, st.Size)
		_ = unix.Close(fd)
		if err != nil {
			p.Problem = ProblemError + err.Error()
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

func compose(out, fd int, size, keep int64) error {
	w := writer(out)
	if _, err := io.Copy(w, io.LimitReader(&reader{fd: fd}, keep)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\n[latticed: %d bytes left out here]\n", size-2*keep); err != nil {
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
