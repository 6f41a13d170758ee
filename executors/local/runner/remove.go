package runner

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// removeDir removes an attempt's directory. Most hold the two logs and nothing else.
func removeDir(dir string) {
	_ = unix.Unlink(dir + "/" + stdoutName)
	_ = unix.Unlink(dir + "/" + stderrName)
	if err := unix.Rmdir(dir); err == nil || os.IsNotExist(err) {
		return
	}
	_ = removeTree(dir)
}

// removeTree removes dir and what is in it, but nothing that is mounted there: a mount
// that an attempt has left is undone, and where that isn't possible the directory stays.
func removeTree(dir string) error {
	if err := unmountBelow(dir); err != nil {
		return err
	}
	if os.RemoveAll(dir) == nil {
		return nil
	}
	// The task took its own rights away.
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // what doesn't belong to us stays, and is seen in the folder
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// unmountBelow undoes the mounts at and below dir.
func unmountBelow(dir string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	points := mountsBelow(string(b), dir)
	for i := len(points) - 1; i >= 0; i-- { // the last ones lie on top
		if err := unix.Unmount(points[i], unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return &os.PathError{Op: "unmount", Path: points[i], Err: err}
		}
	}
	return nil
}

// mountsBelow lists the places of mountinfo at and below dir.
func mountsBelow(mountinfo, dir string) []string {
	var out []string
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		if at := unescape(f[4]); at == dir || strings.HasPrefix(at, dir+"/") {
			out = append(out, at)
		}
	}
	return out
}

// unescape reads a path as mountinfo writes it: blanks and backslashes in octal.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
