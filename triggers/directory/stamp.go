package directory

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// stamp is the version of a file. Times are ns since the epoch.
type stamp struct {
	dev, ino           uint64
	size, mtime, ctime int64
}

func stampOf(st *unix.Stat_t) stamp {
	return stamp{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size, //nolint:unconvert // Dev is 32 bits wide elsewhere
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// String is the form in which versions are stored and part of event keys.
func (s stamp) String() string {
	b := make([]byte, 0, 64)
	b = strconv.AppendUint(b, s.dev, 16)
	b = strconv.AppendUint(append(b, '.'), s.ino, 16)
	b = strconv.AppendInt(append(b, '.'), s.size, 16)
	b = strconv.AppendInt(append(b, '.'), s.mtime, 16)
	b = strconv.AppendInt(append(b, '.'), s.ctime, 16)
	return string(b)
}

func parseStamp(text string) (stamp, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 5 {
		return stamp{}, fmt.Errorf("%q is not a version", text)
	}
	var s stamp
	var errs [5]error
	s.dev, errs[0] = strconv.ParseUint(parts[0], 16, 64)
	s.ino, errs[1] = strconv.ParseUint(parts[1], 16, 64)
	s.size, errs[2] = strconv.ParseInt(parts[2], 16, 64)
	s.mtime, errs[3] = strconv.ParseInt(parts[3], 16, 64)
	s.ctime, errs[4] = strconv.ParseInt(parts[4], 16, 64)
	for _, err := range errs {
		if err != nil {
			return stamp{}, fmt.Errorf("version %q: %w", text, err)
		}
	}
	return s, nil
}

// payload is `event` in expressions. Fields that would hold invalid UTF-8 are absent.
type payload struct {
	Path    *string `json:"path,omitempty"`
	PathB64 string  `json:"path_b64,omitempty"` // only when the path is not UTF-8
	Name    *string `json:"name,omitempty"`
	Stem    *string `json:"stem,omitempty"`
	Ext     *string `json:"ext,omitempty"`
	Dir     *string `json:"dir,omitempty"`
	Rel     *string `json:"rel,omitempty"`
	Size    int64   `json:"size"`
	Mtime   string  `json:"mtime"`
	Kind    string  `json:"kind"`
}

func encodePayload(dir, name, kind string, s stamp) (json.RawMessage, error) {
	full := path.Join(dir, name)
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if stem == "" { // .bashrc has no extension
		stem, ext = name, ""
	}
	p := payload{
		Path: valid(full), Name: valid(name), Stem: valid(stem), Ext: valid(ext), Dir: valid(dir), Rel: valid(name),
		Size: s.size, Mtime: time.Unix(0, s.mtime).UTC().Format("2006-01-02T15:04:05.000000Z"), Kind: kind,
	}
	if p.Path == nil {
		p.PathB64 = base64.StdEncoding.EncodeToString([]byte(full))
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the event of %q: %w", full, err)
	}
	return b, nil
}

func valid(s string) *string {
	if !utf8.ValidString(s) {
		return nil
	}
	return &s
}

// eventKey names one (path, kind, version) of a trigger. It begins with the path, and
// "#", so that what became of a path can be looked up by prefix.
func eventKey(dir, name, kind string, s stamp) string {
	return keyPath(path.Join(dir, name)) + "#" + kind + "@" + s.String()
}

// keyPath is a path as text: bytes that are not UTF-8 are written as \xNN.
func keyPath(p string) string {
	if utf8.ValidString(p) {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRuneInString(p[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, p[i])
		} else {
			b.WriteString(p[i : i+n])
		}
		i += n
	}
	return b.String()
}
