package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// partialSuffix ends the name of a backup until it is whole.
const partialSuffix = ".partial"

var errBeingMade = errors.New("another backup is being made there")

// makePartial makes the folder; as long as what it returns is open, and the process
// lives, nobody takes it for one that was broken off.
func makePartial(dir string) (*os.File, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	return holdPartial(dir)
}

func holdPartial(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	// Where folders can't be locked, as on NFS, nobody is held off.
	if errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return nil, errors.Join(errBeingMade, f.Close())
	}
	return f, nil
}

// clearPartial removes what a backup that was broken off has left, and nothing else.
func clearPartial(dir string) error {
	hold, err := holdPartial(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errBeingMade):
		return usagef("%s: %v", dir, errBeingMade)
	case err != nil:
		return err
	}
	defer func() { _ = hold.Close() }()
	switch name, err := strangerIn(dir); {
	case err != nil:
		return err
	case name != "":
		return usagef("%s is in the way, and %s in it is not of a backup that was broken off; move it away", dir, name)
	}
	return os.RemoveAll(dir)
}

// strangerIn names something that no backup has.
func strangerIn(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if name := e.Name(); name != "latticed.db" && name != "assets" && name != "manifest.json" {
			return name, nil
		}
	}
	return "", err
}

// leftPartial finds what backups under other names have left, as those that are named by
// their day do: the next one doesn't clear it away.
func leftPartial(parent string) (left []string) {
	entries, _ := os.ReadDir(parent) // it is only a hint
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if !e.IsDir() || !strings.HasSuffix(dir, partialSuffix) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, "latticed.db")); err != nil {
			continue
		}
		name, err := strangerIn(dir)
		if err != nil || name != "" {
			continue
		}
		if hold, err := holdPartial(dir); err == nil {
			_ = hold.Close()
			left = append(left, dir)
		}
	}
	return left
}
