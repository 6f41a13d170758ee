package local

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/local/runner"
)

// collected returns a control file, nil when the attempt left none.
func (b *returned) collected(name string) *runner.Piece {
	for i := range b.Collected {
		if b.Collected[i].Name == name {
			return &b.Collected[i]
		}
	}
	return nil
}

// bytes reads a piece into memory; the caller knows that it is small enough.
func (b *returned) bytes(p *runner.Piece) ([]byte, error) {
	f := b.files[p]
	if f == nil {
		return p.Data, nil
	}
	out, err := io.ReadAll(io.NewSectionReader(f, 0, p.Size))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.Name, err)
	}
	return out, nil
}

// file makes a piece one that the dispatcher can store.
func (b *returned) file(p *runner.Piece, name string) executors.File {
	f := b.files[p]
	if f == nil {
		data := p.Data
		if data == nil {
			data = []byte{}
		}
		return executors.File{Name: name, Size: p.Size, Data: data}
	}
	return executors.File{Name: name, Size: p.Size, Open: func() (*os.File, error) { return again(f) }}
}

// again opens a descriptor anew, from its start. The file may belong to another user,
// so it can't be opened by its path; one reader at a time.
func again(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s again: %w", f.Name(), err)
	}
	out := os.NewFile(uintptr(fd), f.Name())
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		_ = out.Close()
		return nil, err
	}
	return out, nil
}
