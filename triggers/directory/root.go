package directory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// place is what a trigger looks at: a folder, or one file in it.
type place struct {
	dir  string
	only string // the file's name; empty: all of the folder
}

func (p place) String() string { return filepath.Join(p.dir, p.only) }

// notFolderError means that something else stands where the folder was.
type notFolderError struct{ path string }

func (e *notFolderError) Error() string { return e.path + " is not a folder any more" }

// outsideError means that the administrator does not let triggers look there.
type outsideError struct {
	path  string
	roots []string
}

func (e *outsideError) Error() string {
	return fmt.Sprintf("%s is not below a folder that triggers may look into; allowed are %s ([paths] watch in the configuration of the daemon)",
		e.path, strings.Join(e.roots, ", "))
}

// allowed tells whether a path without links is below one of the roots.
func allowed(name string, roots []string) error {
	if len(roots) == 0 {
		return nil
	}
	for _, root := range roots {
		resolved, err := filepath.EvalSymlinks(root)
		if err != nil {
			continue // nothing is below it
		}
		if name == resolved || resolved == "/" || strings.HasPrefix(name, resolved+"/") {
			return nil
		}
	}
	return &outsideError{name, roots}
}

// networkType names file systems on which other hosts write: inotify does not see
// them, inodes may change with each mount, and ctime is another clock's.
func networkType(magic int64) string {
	switch uint32(magic) {
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "smb"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "afs"
	case unix.CODA_SUPER_MAGIC:
		return "coda"
	case unix.NCP_SUPER_MAGIC:
		return "ncp"
	case unix.CEPH_SUPER_MAGIC:
		return "ceph"
	case 0x0BD00BD0:
		return "lustre"
	case 0x47504653:
		return "gpfs"
	case 0x19830326:
		return "beegfs"
	case 0x01161970:
		return "gfs2"
	case 0x7461636f:
		return "ocfs2"
	case 0x20030528:
		return "orangefs"
	case 0x786f4256:
		return "vboxsf"
	}
	return ""
}

// troubleWith says in words for people why a folder can't be watched.
func troubleWith(dir string, err error) string {
	var other *notFolderError
	var outside *outsideError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s is missing; what was known of it is kept, and it is watched again once it is there", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s can't be read: permission denied; give the user of the daemon the rights r and x on it, and x on the folders above", dir)
	case errors.As(err, &other):
		return fmt.Sprintf("%s is not a folder any more", dir)
	case errors.As(err, &outside):
		return outside.Error()
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Sprintf("%s: something above it is not a folder any more", dir)
	case errors.Is(err, syscall.ELOOP):
		return fmt.Sprintf("%s: symbolic links go in circles", dir)
	case errors.Is(err, syscall.ESTALE):
		return fmt.Sprintf("%s: the file server has forgotten the folder (stale handle); mount it again", dir)
	}
	var inner *os.PathError
	if errors.As(err, &inner) {
		err = inner.Err // dir is named already
	}
	return fmt.Sprintf("%s can't be read: %v", dir, err)
}
