package graph

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fingerprint is what the result of an electron depends on, part by part, so that two
// of them show what has changed. Executor, resources, timeout and retries are not in it:
// they say where and how long, not what. Values that are short stand there as canonical
// JSON, others as a hash.
type Fingerprint struct {
	Version int               `json:"v"`
	Kind    string            `json:"kind"`              // run, bash or python
	Body    string            `json:"body,omitempty"`    // the script or function
	Include string            `json:"include,omitempty"` // the packed files
	Run     []string          `json:"run,omitempty"`     // words
	Args    map[string]string `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`     // always as a hash
	In      map[string]string `json:"in,omitempty"`      // SHA-256 of files and python objects of other electrons
	Paths   map[string]Path   `json:"paths,omitempty"`   // by where inputs name them
	Outputs string            `json:"outputs,omitempty"` // which are kept
	Result  string            `json:"result,omitempty"`  // how it is read
}

// Path is what is known of a file or folder that an input names.
type Path struct {
	Path   string `json:"path"`
	Stamp  string `json:"stamp,omitempty"`  // equal: nothing has changed
	SHA256 string `json:"sha256,omitempty"` // of the content of a file that is not too large
	Size   int64  `json:"size,omitempty"`   // bytes
	Doubt  string `json:"doubt,omitempty"`  // why the others are missing, for people
}

// fingerprintVersion is raised when equal fingerprints of before are no longer equal.
const fingerprintVersion = 1

// maxShown is how long the canonical JSON of a value may be that stands as it is.
const maxShown = 48

// Fingerprint makes the fingerprint of electron i. in holds the hashes of what is laid
// out for it, paths what is known of its files.
func (l *Lattice) Fingerprint(i int, r Resolved, in map[string]string, paths map[string]Path) Fingerprint {
	e := &l.Electrons[i]
	f := Fingerprint{
		Version: fingerprintVersion, Kind: e.Body.Kind, Body: e.Body.fingerprint(), Include: l.included(),
		In: in, Paths: paths, Outputs: outputsFingerprint(e.Outputs), Result: e.Result,
	}
	for _, w := range r.Argv {
		f.Run = append(f.Run, shown(w))
	}
	if len(r.Args) > 0 {
		f.Args = make(map[string]string, len(r.Args))
	}
	for name, v := range r.Args {
		f.Args[name] = shown(v)
	}
	if len(r.Env)+len(r.Unset) > 0 {
		f.Env = make(map[string]string, len(r.Env)+len(r.Unset))
	}
	for name, v := range r.Env {
		f.Env[name] = sum([]byte(v))
	}
	for _, name := range r.Unset {
		f.Env[name] = ""
	}
	return f
}

// Encode writes the fingerprint as it is stored.
func (f *Fingerprint) Encode() (json.RawMessage, error) {
	raw, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("fingerprint: %w", err)
	}
	return raw, nil
}

// DecodeFingerprint reads what Encode wrote; false when there is none, or one of a
// version that can't be compared.
func DecodeFingerprint(raw json.RawMessage) (f Fingerprint, ok bool) {
	if len(raw) == 0 || json.Unmarshal(raw, &f) != nil || f.Version != fingerprintVersion {
		return Fingerprint{}, false
	}
	return f, true
}

func (b *Body) fingerprint() string {
	if b.Kind == "run" {
		return "" // its words are all there is
	}
	return sum([]byte(strings.Join([]string{b.Bash, b.PythonFile, b.PythonFunc, b.PythonCode, b.Interpreter}, "\x00")))
}

func outputsFingerprint(outputs []Output) string {
	if len(outputs) == 0 {
		return ""
	}
	lines := make([]string, len(outputs))
	for i, o := range outputs {
		lines[i] = fmt.Sprintf("%s\x00%s\x00%v", o.Name, o.Path, o.Optional)
	}
	slices.Sort(lines)
	return sum([]byte(strings.Join(lines, "\n")))
}

// included is the hash of the packed files, worked out once.
func (l *Lattice) included() string {
	if l.packed == nil {
		return l.hashIncluded()
	}
	return l.packed()
}

func (l *Lattice) hashIncluded() string {
	if len(l.Include) == 0 {
		return ""
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(l.Include)) {
		b.WriteString(name + "\x00" + l.Include[name].hash() + "\n")
	}
	return sum(b.Bytes())
}

// hash is of the bytes, wherever they are kept.
func (f Include) hash() string {
	if f.SHA256 != "" {
		return f.SHA256
	}
	return fmt.Sprintf("%x", sha256.Sum256(f.Data))
}

// shown is a value by which it is known again.
func shown(v any) string {
	raw, err := Canonical(v)
	switch {
	case err != nil:
		return "" // no JSON value; those of Resolved are
	case len(raw) <= maxShown:
		return string(raw)
	}
	return sum(raw)
}

// hashed is how a hash begins; no JSON value does.
const hashed = "sha:"

// sum is a hash of 128 bits: enough to tell values apart that nobody forges.
func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hashed + base64.RawURLEncoding.EncodeToString(h[:16])
}
