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
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Arrival is a file that came with an event from another machine.
type Arrival struct {
	Trigger string // its name, which is the folder
	Rel     string // the path below that folder, with slashes
	SHA256  string
	Size    int64
	Owner   string // who uploaded it
}

// RelError means that the path of an arrival is none that may be written.
type RelError struct{ Rel, Why string }

func (e *RelError) Error() string { return fmt.Sprintf("the path %q %s", e.Rel, e.Why) }

// ErrNoUpload means that a file is not there that was to come before its event.
var ErrNoUpload = errors.New("the file of this event is not there: upload it first")

// incoming is the folder for files from other machines: incoming/TRIGGER/REL. What is
// there belongs to the users: it is never overwritten and never removed here.
type incoming struct {
	dir string

	mu   sync.Mutex // one file at a time finds its name
	sums map[string]fileSum
}

// fileSum is the SHA-256 of a version of a file.
type fileSum struct{ version, sha256 string }

const maxSums = 64 // that are remembered

// halfway is the folder of what is not whole yet; no trigger has such a name.
const halfway = ".partial"

const (
	maxRel  = 4000 // bytes; the kernel's limit of a path is 4096 with the folder before it
	maxName = 255
)

// Receive puts what its owner has uploaded into the folder of a trigger and returns the
// path. What has the same content and name there is kept; with other content the new
// one is called NAME~2.EXT, and so on. It is durable then, and the upload is let go of.
// *RelError: the path is none. ErrNoUpload: the owner has uploaded no such thing, or it
// had its time.
func (s *Store) Receive(ctx context.Context, a Arrival) (string, error) {
	rel, err := cleanRel(a.Rel)
	if err != nil {
		return "", err
	}
	if _, err := hash(a.SHA256); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoUpload, err)
	}
	a.SHA256, a.Rel = strings.ToLower(a.SHA256), path.Join(a.Trigger, rel)
	root, err := os.OpenRoot(s.incoming.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	s.incoming.mu.Lock()
	defer s.incoming.mu.Unlock()
	name, there, err := s.incoming.spot(root, &a)
	switch {
	case err == nil && there:
		err = s.ForgetUpload(ctx, a.SHA256, a.Owner)
	case err == nil:
		name, err = s.receive(ctx, root, &a, name)
	}
	switch {
	case errors.Is(err, unix.ENOTDIR):
		return "", &RelError{rel, "needs a folder where there is a file"}
	case errors.Is(err, unix.ENAMETOOLONG):
		return "", &RelError{rel, "is too long"}
	case err != nil:
		return "", fmt.Errorf("store %s of trigger %s: %w", rel, a.Trigger, storageError(err))
	}
	return filepath.Join(s.incoming.dir, name), nil
}

// receive makes the bytes a file beside, then gives them their name.
func (s *Store) receive(ctx context.Context, root *os.Root, a *Arrival, name string) (string, error) {
	if _, err := s.uploaded(ctx, a.SHA256, a.Owner); errors.Is(err, ErrNotFound) {
		return "", ErrNoUpload
	} else if err != nil {
		return "", err
	}
	tmp := path.Join(halfway, uuid.NewString())
	defer func() { _ = root.Remove(tmp) }() // what stays goes at the next start
	linked, err := s.bring(ctx, root, tmp, a)
	if err != nil {
		return "", err
	}
	if err := makeParents(root, path.Dir(name)); err != nil {
		return "", err
	}
	for n := 2; ; n++ { // somebody else may write here
		err := appear(root, tmp, name)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		name = numbered(a.Rel, n)
	}
	if err := syncBelow(root, path.Dir(name)); err != nil {
		return "", err
	}
	if err := s.ForgetUpload(ctx, a.SHA256, a.Owner); err != nil || !linked {
		return name, err
	}
	return name, s.part(ctx, root, a, name)
}

// appear gives a file its name, never one that is taken.
func appear(root *os.Root, tmp, name string) error {
	err := root.Link(tmp, name)
	if !noLink(err) {
		return err
	}
	err = renameIn(root, tmp, name)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// Nothing but an empty file keeps the name free there; one that watches may see it.
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), root.Rename(tmp, name)); err != nil { // over our own
		return errors.Join(err, root.Remove(name))
	}
	return nil
}

// renameIn renames, never over something.
func renameIn(root *os.Root, old, name string) error {
	from, err := root.Open(path.Dir(old))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer to.Close()
	err = unix.Renameat2(int(from.Fd()), path.Base(old), int(to.Fd()), path.Base(name), unix.RENAME_NOREPLACE)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: name, Err: err}
	}
	return nil
}

// noLink tells that a file can't have a second name there: incoming may be another disk,
// or of a kind that knows no such thing.
func noLink(err error) bool {
	for _, e := range []error{unix.EXDEV, unix.EPERM, unix.EMLINK, unix.EOPNOTSUPP, unix.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// bring makes the file tmp. That of an asset which nothing else needs is only given
// another name, since a copy of many gigabytes takes minutes.
func (s *Store) bring(ctx context.Context, root *os.Root, tmp string, a *Arrival) (linked bool, err error) {
	if err := root.MkdirAll(halfway, 0o700); err != nil {
		return false, err
	}
	sha, err := hash(a.SHA256)
	if err != nil {
		return false, err
	}
	var needed, uploads int
	err = s.quick(ctx, func(q querier) error {
		return q.row("SELECT refs, (SELECT count(*) FROM uploads u WHERE u.sha256 = assets.sha256) FROM assets WHERE sha256 = ?", []any{sha}, &needed, &uploads)
	})
	if err != nil {
		return false, err
	}
	if needed == 0 && uploads == 1 && a.Size > inlineMax {
		err := os.Link(s.files.path(a.SHA256), filepath.Join(s.incoming.dir, tmp))
		switch {
		case err == nil:
			return true, root.Chmod(tmp, 0o644)
		case !noLink(err):
			return false, err
		}
	}
	return false, s.copyAsset(ctx, root, tmp, a.SHA256)
}

// part gives a file bytes of its own when its asset is needed all the same: somebody has
// uploaded it a moment ago.
func (s *Store) part(ctx context.Context, root *os.Root, a *Arrival, name string) error {
	tmp := path.Join(halfway, uuid.NewString())
	defer func() { _ = root.Remove(tmp) }() // it was renamed, or is of no use
	err := s.copyAsset(ctx, root, tmp, a.SHA256)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = root.Rename(tmp, name)
	}
	return errors.Join(err, syncBelow(root, path.Dir(name)))
}

func (s *Store) copyAsset(ctx context.Context, root *os.Root, to, sha string) error {
	from, err := s.OpenAsset(ctx, sha)
	if err != nil {
		return err
	}
	defer from.Close()
	return copyInto(root, to, from)
}

// spot finds the name for an arrival, and whether it is there already.
func (in *incoming) spot(root *os.Root, a *Arrival) (name string, there bool, err error) {
	last := ""
	for n := 1; ; n++ {
		name = numbered(a.Rel, n)
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return "", false, err
		}
		if info.Mode().IsRegular() && info.Size() == a.Size {
			last = name
		}
	}
	// The same file comes again when the answer was lost, so it is the latest.
	for _, old := range []string{last, a.Rel} {
		if same, err := in.has(root, old, a.SHA256); old != "" && (same || err != nil) {
			return old, true, err
		}
	}
	return name, false, nil
}

// has tells whether a file has this content; false when there is none. Its caller may
// give up before a large one is read; what was found is there when he comes again.
func (in *incoming) has(root *os.Root, name, sha string) (bool, error) {
	if name == "" {
		return false, nil
	}
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false, nil // then it is not the same
	}
	version := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	if s := in.sums[name]; s.version == version {
		return s.sha256 == sha, nil
	}
	f, err := root.Open(name)
	if err != nil {
		return false, nil // its owner has closed it to us
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false, err
	}
	if in.sums == nil || len(in.sums) >= maxSums {
		in.sums = map[string]fileSum{}
	}
	in.sums[name] = fileSum{version, hex.EncodeToString(h.Sum(nil))}
	return in.sums[name].sha256 == sha, nil
}

// numbered is NAME~2.EXT for n = 2.
func numbered(rel string, n int) string {
	if n == 1 {
		return rel
	}
	dir, base := path.Split(rel)
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	if stem == "" { // .bashrc has no extension
		stem, ext = base, ""
	}
	tail := "~" + strconv.Itoa(n) + ext
	return dir + stem[:max(min(len(stem), maxName-len(tail)), 0)] + tail
}

// cleanRel makes a path that stays in its folder, in UTF-8: bytes that are not, are
// written as %NN.
func cleanRel(rel string) (string, error) {
	var parts []string
	for part := range strings.SplitSeq(rel, "/") {
		switch part {
		case "", ".":
		case "..":
			return "", &RelError{rel, "leads out of its folder"}
		default:
			part = readable(part)
			parts = append(parts, part)
		}
		if len(part) > maxName || strings.Contains(part, "\x00") {
			return "", &RelError{rel, "has a name that no file can have"}
		}
	}
	clean := strings.Join(parts, "/")
	switch {
	case strings.HasPrefix(rel, "/"):
		return "", &RelError{rel, "must be relative"}
	case clean == "":
		return "", &RelError{rel, "names no file"}
	case len(clean) > maxRel:
		return "", &RelError{clean[:100] + "…", "is too long"}
	}
	return clean, nil
}

// readable is a name in UTF-8.
func readable(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, "%%%02X", name[i])
		} else {
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	return b.String()
}

// copyInto writes a new file that everybody may read, and makes its bytes durable.
func copyInto(root *os.Root, name string, from io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
}

// makeParents makes the folders of a file, each durable in the one before.
func makeParents(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	err := root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeParents(root, path.Dir(dir)); err != nil {
			return err
		}
		err = root.Mkdir(dir, 0o755)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	if err := root.Chmod(dir, 0o755); err != nil { // whatever our umask is
		return err
	}
	return syncBelow(root, path.Dir(dir))
}

func syncBelow(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// tidy removes what a crash has left half written.
func (in *incoming) tidy() error { return os.RemoveAll(filepath.Join(in.dir, halfway)) }
