package dispatcher

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// errNotYet means that the next plan will have the bytes: they are in a file that
// counts once the step being planned names it.
var errNotYet = errors.New("not stored yet")

// read returns all bytes of a stored asset.
func (v *values) read(a graph.Asset) ([]byte, error) {
	if n, ok := v.fresh[a.SHA256]; ok {
		if n.Data == nil {
			return nil, errNotYet
		}
		return n.Data, nil
	}
	r, err := v.store.OpenAsset(v.ctx, a.SHA256)
	if err != nil {
		return nil, &readError{a.SHA256, err}
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, &readError{a.SHA256, err}
	}
	return b, nil
}

// readError means that stored bytes could not be read.
type readError struct {
	sha256 string
	err    error
}

func (e *readError) Error() string { return "asset " + e.sha256 + ": " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// mayPass tells whether err is a failure to read that is worth another try: bytes that
// are gone stay gone, and an expression fails the same way each time.
func mayPass(err error) bool {
	var r *readError
	var p *previousError
	return errors.Is(err, errNotYet) || errors.As(err, &p) || errors.As(err, &r) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, triggers.ErrNotFound)
}

// size looks how long a stored asset is.
func (v *values) size(sha256 string) (int64, error) {
	r, err := v.store.OpenAsset(v.ctx, sha256)
	if err != nil {
		return 0, &readError{sha256, err}
	}
	defer r.Close()
	n, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, &readError{sha256, err}
	}
	return n, nil
}

// file makes a stored asset one to be laid out.
func (v *values) file(name string, a graph.Asset) (executors.File, error) {
	f := executors.File{Name: name, Size: a.Size}
	if a.Size > inlineMax {
		f.Open = func() (*os.File, error) { return v.open(a) }
		return f, nil
	}
	b, err := v.read(a)
	if err != nil {
		return f, err
	}
	f.Data = notNil(b)
	return f, nil
}

// open returns a stored asset as a real file, whichever way the store keeps it.
func (v *values) open(a graph.Asset) (*os.File, error) {
	r, err := v.store.OpenAsset(v.ctx, a.SHA256)
	if err != nil {
		return nil, &readError{a.SHA256, err}
	}
	if f, ok := r.(*os.File); ok {
		return f, nil
	}
	defer r.Close()
	f, err := os.CreateTemp("", "latticed-asset-")
	if err != nil {
		return nil, fmt.Errorf("asset %s: %w", a.SHA256, err)
	}
	err = errors.Join(os.Remove(f.Name()))
	if err == nil {
		_, err = io.Copy(f, r)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("asset %s: %w", a.SHA256, err)
	}
	return f, nil
}

// notNil makes empty bytes bytes: nil would mean that they are elsewhere.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
