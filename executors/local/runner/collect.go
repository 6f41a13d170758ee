package runner

import (
	"errors"
	"os"
	"path/filepath"
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
	logs, problems := openLogs(a)
	r.mu.Unlock()
	var fds []int
	defer func() { CloseAll(fds) }()
	m.Stdout = r.logPiece(a.dir, stdoutName[1:], logs[0], problems[0], &fds)
	m.Stderr = r.logPiece(a.dir, stderrName[1:], logs[1], problems[1], &fds)
	for _, name := range w.collect {
		if p := gather(a.dir, name, &fds); p.Problem != ProblemMissing {
			m.Collected = append(m.Collected, p)
		}
	}
	if a.exit == 0 && (a.cause == CauseNone) {
		for _, name := range w.outputs {
			m.Outputs = append(m.Outputs, gather(a.dir, name, &fds))
		}
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
		if fd, problem = openPlain(filepath.Join(dir, name), true); problem == "" || problem == ProblemMissing {
			return fd, problem
		}
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, os.ErrNotExist) {
		return -1, ProblemMissing
	}
	if err != nil {
		return -1, systemProblem(err)
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
		return -1, systemProblem(err)
	}
	defer f.Close()
	fd, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, systemProblem(err)
	}
	return regular(fd)
}

// systemProblem tells what the system said: of the file, or of this moment.
func systemProblem(err error) string {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EINTR, unix.EAGAIN} {
		if errors.Is(err, e) {
			return ProblemAgain + err.Error()
		}
	}
	return ProblemError + err.Error()
}

func regular(fd int) (int, string) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return -1, systemProblem(err)
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
		p.Problem = systemProblem(err)
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
		p.Problem = systemProblem(err)
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
