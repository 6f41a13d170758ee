package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Piece is a part of an upload.
type Piece struct {
	SHA256 string // of the whole
	Size   int64  // of the whole, bytes
	Offset int64  // where Body begins
	Owner  string
	Body   io.Reader
}

// OffsetError means that a piece doesn't begin where the last one ended.
type OffsetError struct{ Offset, Received int64 }

func (e *OffsetError) Error() string {
	return fmt.Sprintf("the piece begins at byte %d, but %d bytes are there: go on from those", e.Offset, e.Received)
}

var (
	// ErrTakenOver means that another connection goes on with the same upload.
	ErrTakenOver = errors.New("another connection goes on with this upload")
	// ErrUploads means that too many uploads of the same owner are under way.
	ErrUploads = errors.New("too many uploads are under way; finish those first")
	// ErrTooLong means that a piece goes beyond the end of the whole.
	ErrTooLong = errors.New("the piece goes beyond the size of the whole")
)

// pieces are uploads that are not whole yet: one file each, OWNER-SHA256-SIZE, whose
// length is what is there. Nothing else is remembered of them, so a crash leaves what
// was written.
type pieces struct {
	dir string

	mu    sync.Mutex // also while files are added or removed
	turns map[string]*pieceTurn
}

// pieceTurn lets the latest of those who write one file write, and nobody before it.
type pieceTurn struct {
	mu    sync.Mutex
	last  int
	users int // guarded by pieces.mu
}

func (p *Piece) file() string {
	return ownerPrefix(p.Owner) + p.SHA256 + "-" + strconv.FormatInt(p.Size, 10)
}

// ownerPrefix begins the names of the files of one owner, whose name may hold anything.
func ownerPrefix(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:16]) + "-"
}

// find looks for an upload that is not whole.
func (ps *pieces) find(sha256, owner string) (Upload, error) {
	entries, err := os.ReadDir(ps.dir)
	if err != nil {
		return Upload{}, err
	}
	for _, e := range entries {
		size, ok := strings.CutPrefix(e.Name(), ownerPrefix(owner)+strings.ToLower(sha256)+"-")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(size, 10, 64)
		info, gone := e.Info()
		if err == nil && gone == nil {
			return Upload{SHA256: strings.ToLower(sha256), Size: n, Received: info.Size()}, nil
		}
	}
	return Upload{}, notFound("asset", sha256)
}

// add appends a piece and returns how much is there; whole is called with the file once
// that is all, and the file is removed unless it fails for now.
func (ps *pieces) add(ctx context.Context, p Piece, o Options, whole func(path string) error) (int64, error) {
	name := p.file()
	if err := ps.room(p, o); err != nil {
		return 0, err
	}
	t := ps.enter(name)
	defer ps.leave(name, t)
	path := filepath.Join(ps.dir, name)
	f, mine, err := t.begin(path, p.Offset)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := io.Copy(&pieceWriter{t: t, f: f, mine: mine, at: p.Offset, size: p.Size}, &ctxReader{ctx, p.Body})
	if broken := f.Sync(); broken != nil {
		// What the kernel could not write it has forgotten about: a later sync would say
		// that all is well. So what came isn't there.
		return 0, errors.Join(err, broken, t.takeBack(f, mine, p.Offset))
	}
	if err != nil {
		return 0, err
	}
	received := p.Offset + n
	if received < p.Size {
		return received, syncDir(ps.dir)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != mine {
		return 0, ErrTakenOver
	}
	err = whole(path)
	var wrong *HashError
	if err == nil || errors.As(err, &wrong) {
		err = errors.Join(err, os.Remove(path))
	}
	return received, err
}

// enter and leave keep a turn for as long as somebody uses it.
func (ps *pieces) enter(name string) *pieceTurn {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	t := ps.turns[name]
	if t == nil {
		t = &pieceTurn{}
		if ps.turns == nil {
			ps.turns = map[string]*pieceTurn{}
		}
		ps.turns[name] = t
	}
	t.users++
	return t
}

func (ps *pieces) leave(name string, t *pieceTurn) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(ps.turns, name)
	}
}

// begin takes over the file, which has to be as long as offset.
func (t *pieceTurn) begin(path string, offset int64) (*os.File, int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != offset {
		err = &OffsetError{Offset: offset, Received: info.Size()}
	}
	if err != nil {
		f.Close()
		if info != nil && info.Size() == 0 {
			_ = os.Remove(path) // it was made just now, or nothing has come yet
		}
		return nil, 0, err
	}
	t.last++
	return f, t.last, nil
}

// takeBack cuts off what came with a piece, unless somebody else goes on.
func (t *pieceTurn) takeBack(f *os.File, mine int, offset int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != mine {
		return nil
	}
	return f.Truncate(offset)
}

// pieceWriter writes as long as it is its turn.
type pieceWriter struct {
	t        *pieceTurn
	f        *os.File
	mine     int
	at, size int64
}

func (w *pieceWriter) Write(b []byte) (int, error) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if w.t.last != w.mine {
		return 0, ErrTakenOver
	}
	if int64(len(b)) > w.size-w.at {
		return 0, ErrTooLong
	}
	n, err := w.f.WriteAt(b, w.at)
	w.at += int64(n)
	return n, err
}

// idle is how long an upload has to have stood still to make room for another one.
const idle = time.Hour

// room bounds how much of an owner's is not whole: what has stood still for long makes
// room, the oldest first.
func (ps *pieces) room(p Piece, o Options) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	files, err := ps.list(ownerPrefix(p.Owner))
	if err != nil {
		return err
	}
	own := p.file()
	if slices.ContainsFunc(files, func(f fs.FileInfo) bool { return f.Name() == own }) {
		return nil
	}
	var bytes int64
	for _, f := range files {
		bytes += f.Size()
	}
	n := len(files)
	for _, f := range files {
		if n < o.Uploads && bytes < o.UploadBytes {
			break
		}
		if o.Now().Sub(f.ModTime()) > idle && ps.drop(f.Name()) == nil {
			n, bytes = n-1, bytes-f.Size()
		}
	}
	if n >= o.Uploads || bytes >= o.UploadBytes {
		return ErrUploads
	}
	return nil
}

// forget removes what owner has sent of an asset, unless somebody is sending it.
func (ps *pieces) forget(sha256, owner string) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	files, err := ps.list(ownerPrefix(owner) + strings.ToLower(sha256) + "-")
	for _, f := range files {
		if e := ps.drop(f.Name()); !errors.Is(e, ErrTakenOver) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// expire removes what has stood still since before.
func (ps *pieces) expire(before time.Time) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	files, err := ps.list("")
	for _, f := range files {
		if f.ModTime().Before(before) {
			err = errors.Join(err, ps.drop(f.Name()))
		}
	}
	return err
}

// drop removes a file that nobody writes. ps.mu is held.
func (ps *pieces) drop(name string) error {
	if ps.turns[name] != nil {
		return ErrTakenOver
	}
	return os.Remove(filepath.Join(ps.dir, name))
}

// list returns the files whose names begin with prefix, the oldest first.
func (ps *pieces) list(prefix string) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(ps.dir)
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), prefix) {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	return files, nil
}
