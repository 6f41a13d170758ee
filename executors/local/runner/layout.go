package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The two logs of an attempt in its directory.
const (
	stdoutName = ".stdout"
	stderrName = ".stderr"
)

// makeDir makes an attempt's directory. One that is there already was left by a
// runner that died before it started anything.
func makeDir(dir string) error {
	err := unix.Mkdir(dir, 0o755)
	if errors.Is(err, unix.EEXIST) {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		err = unix.Mkdir(dir, 0o755)
	}
	if err != nil {
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

// layOut writes files into dir; fds are the descriptors of those that bring one.
func layOut(dir string, files []Piece, fds []int) error {
	for i := range files {
		f := &files[i]
		if !filepath.IsLocal(f.Name) {
			return refuse(CodeInvalid, true, "file %q would lie outside of the working directory", f.Name)
		}
		fd := -1
		if f.FD {
			if len(fds) == 0 {
				return refuse(CodeInvalid, true, "file %q came without its bytes", f.Name)
			}
			fd, fds = fds[0], fds[1:]
		}
		if err := layOne(filepath.Join(dir, f.Name), f, fd); err != nil {
			return err
		}
	}
	return nil
}

func layOne(path string, f *Piece, from int) error {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_CLOEXEC | unix.O_NOFOLLOW
	fd, err := unix.Open(path, flags, 0o644)
	if errors.Is(err, unix.ENOENT) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return layError(f.Name, err)
		}
		fd, err = unix.Open(path, flags, 0o644)
	}
	if err != nil {
		return layError(f.Name, err)
	}
	out := os.NewFile(uintptr(fd), path)
	defer out.Close()
	if from < 0 {
		_, err = out.Write(f.Data)
	} else {
		err = copyFile(out, from)
	}
	if err != nil {
		return fmt.Errorf("lay out %s: %w", f.Name, err)
	}
	if f.Mode != 0 && f.Mode != 0o644 {
		if err := unix.Fchmod(fd, uint32(f.Mode)&0o777); err != nil {
			return &os.PathError{Op: "chmod", Path: path, Err: err}
		}
	}
	return out.Close()
}

// layError tells what it means that a file can't be made in a fresh directory.
func layError(name string, err error) error {
	switch {
	case errors.Is(err, unix.EEXIST):
		return refuse(CodeInvalid, true, "there are two files of the name %q in the working directory", name)
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EISDIR):
		return refuse(CodeInvalid, true, "%q needs a folder where there is a file, or a file where there is a folder", name)
	case errors.Is(err, unix.ENAMETOOLONG):
		return refuse(CodeInvalid, true, "the name of file %.80q… is too long for the file system", name)
	}
	return fmt.Errorf("lay out %s: %w", name, err)
}

// copyFile shares the blocks of from where the file system can, else copies them.
func copyFile(out *os.File, from int) error {
	if unix.IoctlFileClone(int(out.Fd()), from) == nil {
		return nil
	}
	_, err := io.Copy(writer(out.Fd()), &reader{fd: from})
	return err
}

// reader reads a descriptor from its start without moving its offset, which the
// sender shares. It lets io.Copy use nothing of the kernel's shortcuts, all of which
// need an offset of their own.
type reader struct {
	fd int
	at int64
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := unix.Pread(r.fd, b, r.at)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	r.at += int64(n)
	return n, nil
}

// openLog makes a log that the attempt appends to.
func openLog(path string) (int, error) {
	fd, err := unix.Open(path, logFlags|unix.O_CREAT|unix.O_EXCL, 0o644)
	if err != nil {
		return -1, &os.PathError{Op: "create", Path: path, Err: err}
	}
	return fd, nil
}

const logFlags = unix.O_RDWR | unix.O_APPEND | unix.O_NOFOLLOW | unix.O_CLOEXEC

// reopenLog opens a log that is there, -1 when it can't be had. What an attempt has put
// in its place (a link to its data, a fifo) must not be cut or waited for.
func reopenLog(path string) (fd int, st unix.Stat_t) {
	fd, err := unix.Open(path, logFlags, 0)
	if err != nil {
		return -1, st
	}
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 {
		_ = unix.Close(fd)
		return -1, st
	}
	return fd, st
}

// startRefusal tells what an error before the start means.
func startRefusal(err error, work string) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return refuse(CodeDiskFull, false, "not started, %s has no room left: %w", work, err)
	}
	return refuse(CodeStart, false, "not started: %w", err)
}
