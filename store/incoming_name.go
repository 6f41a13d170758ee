package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxRel  = 4000 // bytes; the kernel's limit of a path is 4096 with the folder before it
	maxName = 255
)

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
