package dispatcher

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/graph"
)

const (
	hashedMax  = 16 << 20 // bytes of a file whose content is compared
	folderMax  = 10_000   // entries of a folder that is compared
	lookTime   = 5 * time.Second
	looksMax   = 8                     // at a time
	sumsMax    = 4096                  // hashes that are remembered
	sameTick   = 50 * time.Millisecond // within which two changes may leave the same stamp
	timedOut   = "could not be looked at in time"
	whileItRan = "changed while it ran"
)

// looks looks at files that inputs name. A file server that is gone keeps a call for
// as long as it likes: such a one is left behind, and holds one of looksMax places
// until it comes back.
type looks struct {
	places chan struct{}

	mu   sync.Mutex
	sums map[string]string // SHA-256 by path and stamp
}

func newLooks() *looks {
	return &looks{places: make(chan struct{}, looksMax), sums: map[string]string{}}
}

// look is what was seen of a path.
type look struct {
	graph.Path
	seen    time.Time
	changed time.Time // when, by the file system's clock
	folder  bool
}

// at looks at all paths (by where inputs name them), and at the content of files of
// which read wants that; nil: of none. It takes no longer than lookTime.
func (l *looks) at(paths map[string]string, read func(name string, now look) bool) map[string]look {
	type answer struct {
		name string
		look look
	}
	answers := make(chan answer, len(paths))
	over := make(chan struct{})
	defer close(over)
	for name, path := range paths {
		go func() {
			select {
			case l.places <- struct{}{}:
				defer func() { <-l.places }()
			case <-over:
				return
			}
			p := glance(path)
			if read != nil && read(name, p) {
				l.hash(&p)
			}
			answers <- answer{name, p}
		}()
	}
	seen := make(map[string]look, len(paths))
	timer := time.NewTimer(lookTime)
	defer timer.Stop()
	for range paths {
		select {
		case a := <-answers:
			seen[a.name] = a.look
		case <-timer.C:
			for name, path := range paths {
				if _, ok := seen[name]; !ok {
					seen[name] = look{Path: graph.Path{Path: path, Doubt: timedOut}}
				}
			}
			return seen
		}
	}
	return seen
}

// contents wants to know of all files what is in them.
func contents(string, look) bool { return true }

// hash adds what is in a file that is not too large.
func (l *looks) hash(p *look) {
	if p.Doubt != "" || p.folder || p.Size > hashedMax {
		return
	}
	if sum, err := l.sum(*p); err == nil {
		p.SHA256 = sum
	}
}

// glance takes the stamp of a path.
func glance(path string) look {
	p := look{Path: graph.Path{Path: path}, seen: time.Now()}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		p.Doubt = "can't be seen by the daemon: " + err.Error()
		return p
	}
	p.Stamp, p.Size, p.changed = stampOf(&st), st.Size, time.Unix(0, st.Ctim.Nano())
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		p.folder, p.Size = true, 0
		p.folderStamp()
	default:
		p.Stamp, p.Doubt = "", "is neither a file nor a folder"
	}
	return p
}

func stampOf(st *unix.Stat_t) string {
	b := make([]byte, 0, 64)
	for _, n := range []int64{int64(st.Dev), int64(st.Ino), st.Size, st.Mtim.Nano(), st.Ctim.Nano()} {
		b = strconv.AppendInt(append(b, '.'), n, 36)
	}
	return string(b[1:])
}

// folderStamp is made of the stamps of all that is below. Links to files stand for
// those; the slash opens a folder that is a link itself.
func (p *look) folderStamp() {
	sum := sha256.New()
	n := 0
	err := filepath.WalkDir(p.Path.Path+"/", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n++; n > folderMax {
			return errTooMany
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		p.below(sum, path, &st)
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			return nil
		}
		switch err := unix.Stat(path, &st); {
		case errors.Is(err, unix.ENOENT):
			return nil // it leads nowhere
		case err != nil:
			return err
		case st.Mode&unix.S_IFMT == unix.S_IFDIR:
			return errLinks
		}
		p.below(sum, path, &st)
		return nil
	})
	switch {
	case errors.Is(err, errLinks):
		p.Stamp, p.Doubt = "", "has links to other folders, which are not followed"
	case errors.Is(err, errTooMany):
		p.Stamp, p.Doubt = "", fmt.Sprintf("has more than %d entries, which are not compared", folderMax)
	case err != nil:
		p.Stamp, p.Doubt = "", "can't be read by the daemon: "+err.Error()
	default:
		p.Stamp = hex.EncodeToString(sum.Sum(nil)[:16])
	}
}

// below adds what is known of an entry.
func (p *look) below(sum io.Writer, path string, st *unix.Stat_t) {
	if at := time.Unix(0, st.Ctim.Nano()); at.After(p.changed) {
		p.changed = at
	}
	fmt.Fprintf(sum, "%s\x00%s\n", path, stampOf(st))
}

var (
	errTooMany = errors.New("too many entries")
	errLinks   = errors.New("links to folders")
)

// sum is the SHA-256 of a file that still is what p says.
func (l *looks) sum(p look) (string, error) {
	key := p.Path.Path + "\x00" + p.Stamp
	l.mu.Lock()
	known := l.sums[key]
	l.mu.Unlock()
	if known != "" {
		return known, nil
	}
	f, err := os.Open(p.Path.Path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, hashedMax+1)); err != nil {
		return "", err
	}
	if now := glance(p.Path.Path); now.Stamp != p.Stamp {
		return "", fmt.Errorf("%s changes", p.Path.Path)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if time.Since(p.changed) > sameTick {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.sums) >= sumsMax {
			clear(l.sums)
		}
		l.sums[key] = sum
	}
	return sum, nil
}

// compare tells whether what was seen of a path before still holds, and what is known
// of it now; why is empty when it does.
func (l *looks) compare(was graph.Path, where string, now look) (graph.Path, string) {
	kind := "file "
	if now.folder {
		kind = "folder "
	}
	path := now.Path.Path
	switch {
	case was.Path != path:
		return now.Path, "it is " + path + ", was " + was.Path
	case now.Doubt != "":
		return now.Path, kind + path + " " + now.Doubt
	case was.Doubt != "":
		return now.Path, kind + path + " " + was.Doubt + " in " + where
	case was.Stamp != "" && was.Stamp == now.Stamp:
		now.SHA256 = was.SHA256
		return now.Path, ""
	case now.folder || was.Size != now.Size:
		return now.Path, kind + path + " changed"
	case was.SHA256 == "" || now.SHA256 == "":
		return now.Path, kind + path + " was touched, and its content can't be compared" + tooLong(now.Size)
	case was.SHA256 != now.SHA256:
		return now.Path, kind + path + " changed"
	}
	return now.steady(), ""
}

func tooLong(size int64) string {
	if size > hashedMax {
		return fmt.Sprintf(": it has more than %d MiB", hashedMax>>20)
	}
	return ""
}

// steady leaves out a stamp that a further change might leave as it is.
func (p look) steady() graph.Path {
	if time.Since(p.changed) < sameTick && p.SHA256 != "" {
		p.Stamp = ""
	}
	return p.Path
}
