package store

import (
	"fmt"
	"path/filepath"
)

// NetworkError means that the state directory is on a filesystem other machines write
// to as well: a write-ahead log is shared memory and would be corrupted there.
type NetworkError struct{ Dir, Filesystem string }

func (e *NetworkError) Error() string {
	return fmt.Sprintf("the state directory %s is on %s, a network filesystem, where the database would be damaged; choose a --state-dir on a local disk", e.Dir, e.Filesystem)
}

// networkFilesystem names the network filesystems among what statfs(2) tells.
func networkFilesystem(magic int64) (string, bool) {
	name, ok := map[uint32]string{
		0x6969:     "NFS",
		0x517b:     "SMB",
		0xff534d42: "CIFS",
		0xfe534d42: "SMB2",
		0x73757245: "Coda",
		0x5346414f: "AFS",
		0x01021997: "9P",
		0x47504653: "GPFS",
		0x0bd00bd0: "Lustre",
		0x19830326: "BeeGFS",
		0x00c36400: "CephFS",
		0x7461636f: "OCFS2",
		0x01161970: "GFS2",
		0xaad7aaea: "PanFS",
		0x786f4256: "a VirtualBox share",
		0x65735546: "FUSE (sshfs or the like)",
	}[uint32(magic)]
	return name, ok
}

// checkFilesystem refuses network filesystems. kind is filesystemKind but in tests.
func checkFilesystem(dir string, kind func(string) (int64, error)) error {
	magic, err := kind(dir)
	if err != nil {
		return fmt.Errorf("statfs %s: %w", dir, err)
	}
	if name, ok := networkFilesystem(magic); ok {
		return &NetworkError{Dir: dir, Filesystem: name}
	}
	return nil
}

// DatabaseDir is the folder where the database of a state directory really is: it may be
// behind a link.
func DatabaseDir(dir string) string {
	if file, err := filepath.EvalSymlinks(filepath.Join(dir, databaseName)); err == nil {
		return filepath.Dir(file)
	}
	return dir
}

// NetworkFilesystem names the network file system that a folder is on, if it is on one.
func NetworkFilesystem(dir string) (name string, network bool, err error) {
	magic, err := filesystemKind(dir)
	if err != nil {
		return "", false, err
	}
	name, network = networkFilesystem(magic)
	return name, network, nil
}
