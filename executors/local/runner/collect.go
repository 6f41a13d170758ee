package runner

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// inlineMax is the size up to which bytes travel in the message itself.
const inlineMax = 16 << 10

// report tells a session how an attempt ended, with what it wants back. It may be
// called again for a session that comes later.
func (r *runner) report(a *attempt, s *session) {
	r.mu.Lock()
	w := a.wishes[s]
	m := &Ended{
		Attempt: a.id, Cause: a.cause, Exit: a.exit, Signal: a.signal, StartedAt: microseconds(a.started),
		EndedAt: microseconds(a.at), CPU: a.cpu, MaxRSS: a.rss, Notes: a.notes, WorkDir: a.dir,
	}
	logs := a.logs
	r.mu.Unlock()
	var fds []int
	defer func() { CloseAll(fds) }()
	m.Stdout = r.logPiece(a, 0, logs[0], &fds)
	m.Stderr = r.logPiece(a, 1, logs[1], &fds)
	if names, err := list(a.dir); err == nil {
		a.bare.Store(len(names) == 2)
		for _, name := range w.collect {
			if slices.Contains(names, name) {
				m.Collected = append(m.Collected, gather(a.dir, name, &fds))
			}
		}
	}
	if a.exit == 0 && (a.cause == CauseNone) {
		for _, name := range w.outputs {
			m.Outputs = append(m.Outputs, gather(a.dir, name, &fds))
		}
	}
	if m.Stdout.FD || m.Stderr.FD {
		r.mu.Lock()
		a.shown = true
		r.mu.Unlock()
	}
	s.send(m, fds...)
}

// gather reads or opens a file of an attempt that has ended.
func gather(dir, name string, fds *[]int) Piece {
	p := Piece{Name: name}
	fd, problem := openInside(dir, name)
	if problem != "" {
		p.Problem = problem
		return p
	}
	fill(&p, fd, fds)
	return p
}

// openInside opens a regular file in dir; links are followed as long as they stay in it.
func openInside(dir, name string) (fd int, problem string) {
	if !strings.Contains(name, "/") {
		// The usual case: a plain file directly in the directory.
		fd, err := unix.Open(filepath.Join(dir, name), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return regular(fd)
		case errors.Is(err, unix.ENOENT):
			return -1, ProblemMissing
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return -1, ProblemMissing
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return -1, ProblemMissing
	case err != nil && strings.Contains(err.Error(), "escapes"):
		return -1, ProblemEscapes
	case errors.Is(err, unix.ENXIO):
		return -1, ProblemIrreg // a socket
	case err != nil:
		return -1, ProblemError + err.Error()
	}
	defer f.Close()
	fd, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, ProblemError + err.Error()
	}
	return regular(fd)
}

func regular(fd int) (int, string) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return -1, ProblemError + err.Error()
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		_ = unix.Close(fd)
		return -1, ProblemIrreg
	}
	return fd, ""
}

// fill puts the bytes of fd into p, or fd itself when they are many.
func fill(p *Piece, fd int, fds *[]int) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		p.Problem = ProblemError + err.Error()
		return
	}
	p.Size = st.Size
	if st.Size > inlineMax {
		p.FD = true
		*fds = append(*fds, fd)
		return
	}
	p.Data = make([]byte, st.Size)
	n, err := preadFull(fd, p.Data, 0)
	_ = unix.Close(fd)
	if err != nil {
		p.Problem = ProblemError + err.Error()
	}
	p.Data, p.Size = p.Data[:n], int64(n)
}

func preadFull(fd int, b []byte, at int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.Pread(fd, b[done:], at+int64(done))
		if err != nil {
			return done, err
		}
		if n == 0 {
			break
		}
		done += n
	}
	return done, nil
}
