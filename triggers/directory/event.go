package directory

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// kindMoved is the kind of events that have a src_path.
const kindMoved = "moved"

func eventEnv() graph.Env {
	return graph.Env{
		"path": graph.String, "path_b64": graph.String, "name": graph.String, "stem": graph.String, "ext": graph.String,
		"dir": graph.String, "rel": graph.String, "size": graph.Integer, "mtime": graph.String, "kind": graph.String,
		"src_path": graph.String, "files": graph.Integer, "complete": graph.Boolean, "group": graph.String,
		"members": graph.Array, "backfill": graph.Boolean,
	}
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
	SrcPath *string `json:"src_path,omitempty"` // of a file that was moved
}

// fileEvent is an event about a file; name is relative to the root, dir, and src the
// name before, if it was moved.
func fileEvent(dir, name, kind string, s stamp, src string) (triggers.Event, error) {
	p, err := encodePayload(dir, name, kind, s, src)
	if err != nil {
		return triggers.Event{}, err
	}
	return triggers.Event{Key: eventKey(dir, name, kind, s), Kind: kind, Payload: p}, nil
}

func encodePayload(dir, rel, kind string, s stamp, src string) (json.RawMessage, error) {
	p := payloadOf(dir, rel, kind, s.size, s.mtime)
	if src != "" && kind == kindMoved {
		p.SrcPath = valid(path.Join(dir, src))
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the event of %q: %w", path.Join(dir, rel), err)
	}
	return b, nil
}

// payloadOf is what events say of a path relative to a folder; mtime is in ns.
func payloadOf(dir, rel, kind string, size, mtime int64) payload {
	full := path.Join(dir, rel)
	name := path.Base(rel)
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if stem == "" { // .bashrc has no extension
		stem, ext = name, ""
	}
	p := payload{
		Path: valid(full), Name: valid(name), Stem: valid(stem), Ext: valid(ext), Dir: valid(path.Dir(full)), Rel: valid(rel),
		Size: size, Mtime: time.Unix(0, mtime).UTC().Format(timeLayout), Kind: kind,
	}
	if p.Path == nil {
		p.PathB64 = base64.StdEncoding.EncodeToString([]byte(full))
	}
	return p
}

const timeLayout = "2006-01-02T15:04:05.000000Z"

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
