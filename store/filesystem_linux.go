package store

import "golang.org/x/sys/unix"

func filesystemKind(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := again(func() error { return unix.Statfs(dir, &s) }); err != nil {
		return 0, err
	}
	return int64(s.Type), nil //nolint:unconvert // it is narrower on some machines
}
