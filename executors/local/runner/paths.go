package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The files of a runner. Journals and locks lie in the working directory, which
// belongs to the runner's user; sockets have short paths, so they lie elsewhere.
const (
	workName = "work"
	ownName  = ".runner"
)

// WorkDir is where the attempts of a state directory run.
func WorkDir(stateDir string) string { return filepath.Join(stateDir, workName) }

// AttemptDir is the working directory of an attempt.
func AttemptDir(stateDir, attempt string) string {
	return filepath.Join(stateDir, workName, attempt)
}

func (o *Options) ownDir() string { return filepath.Join(WorkDir(o.StateDir), ownName) }

// LogPath is where a runner that was sent to the background says what it has to say.
func LogPath(stateDir string) string { return filepath.Join(WorkDir(stateDir), ownName, "log") }

func (o *Options) journalPath(protocol int) string {
	return filepath.Join(o.ownDir(), "journal."+strconv.Itoa(protocol))
}

func (o *Options) lockPath(protocol int) string {
	return filepath.Join(o.ownDir(), "lock."+strconv.Itoa(protocol))
}

// SocketPath is where the runner of a protocol listens: Socket when it is set, else a
// name made from the state directory in the runtime directory.
func (o *Options) SocketPath(protocol int) (string, error) {
	if o.Socket != "" {
		return o.Socket, nil
	}
	dir := o.RuntimeDir
	if dir == "" {
		var err error
		if dir, err = RuntimeDir(); err != nil {
			return "", err
		}
	}
	p := filepath.Join(dir, fmt.Sprintf("runner-%s.%d.sock", stateHash(o.StateDir), protocol))
	if len(p) > 107 {
		return "", fmt.Errorf("the path of the runner's socket is too long (%d bytes, 107 are possible): %s; choose a shorter runtime directory", len(p), p)
	}
	return p, nil
}

// stateHash names a state directory shortly; links to it lead to the same name.
func stateHash(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:6])
}

// RuntimeDir is the folder for sockets: $RUNTIME_DIRECTORY (systemd), /run/latticed
// for root, $XDG_RUNTIME_DIR, else a private folder in /tmp.
func RuntimeDir() (string, error) {
	if d := os.Getenv("RUNTIME_DIRECTORY"); d != "" {
		d, _, _ = strings.Cut(d, ":")
		return d, nil
	}
	uid := os.Getuid()
	if uid == 0 {
		if err := os.MkdirAll("/run/latticed", 0o755); err != nil {
			return "", fmt.Errorf("runtime directory: %w", err)
		}
		return "/run/latticed", nil
	}
	if d := os.Getenv("XDG_RUNTIME_DIR"); d != "" {
		return d, nil
	}
	return privateDir(filepath.Join(os.TempDir(), "latticed-"+strconv.Itoa(uid)), uid)
}

// privateDir makes dir or makes sure that nobody else owns it or may enter it.
func privateDir(dir string, uid int) (string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("runtime directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("runtime directory: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ok || int(st.Uid) != uid {
		return "", fmt.Errorf("runtime directory %s must be a directory that belongs to user %d alone (mode 0700): remove it or set XDG_RUNTIME_DIR", dir, uid)
	}
	return dir, nil
}

// validAttempt tells whether an attempt's name can be the name of a directory.
func validAttempt(id string) bool {
	if id == "" || len(id) > 64 || id[0] == '.' {
		return false
	}
	for _, c := range []byte(id) {
		ok := c == '-' || c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !ok {
			return false
		}
	}
	return true
}
