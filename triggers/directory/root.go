package directory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// place is what a trigger looks at: a folder, or one file in it.
type place struct {
	dir  string
	only string // the file's name; empty: all of the folder
}

func (p place) String() string { return filepath.Join(p.dir, p.only) }

// errNotFolder means that something else stands where the folder was.
var errNotFolder = errors.New("is not a folder any more")

// folder is an open folder with its identity.
type folder struct {
	file    *os.File
	dev     uint64
	ino     uint64
	mount   uint64 // which mount it was reached through; 0: unknown
	network string // the type of a network file system, or empty
}

// openFolder opens dir for reading. Opening anything else, such as a pipe, could wait
// for ever.
func openFolder(dir string) (*folder, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOTDIR) {
		if _, there := os.Stat(dir); there == nil {
			return nil, fmt.Errorf("%s %w", dir, errNotFolder)
		}
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	d := &folder{file: f, dev: uint64(st.Dev), ino: st.Ino} //nolint:unconvert // Dev is 32 bits wide elsewhere
	var sx unix.Statx_t
	if unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &sx) == nil && sx.Mask&unix.STATX_MNT_ID != 0 {
		d.mount = sx.Mnt_id
	}
	var sf unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &sf) == nil {
		d.network = networkType(int64(sf.Type)) //nolint:unconvert // 32 bits wide elsewhere
	}
	return d, nil
}

func (d *folder) close() { d.file.Close() }

// same tells whether o is the same folder, as far as this process can tell.
func (d *folder) same(o *folder) bool { return d.dev == o.dev && d.ino == o.ino && d.mount == o.mount }

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
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s is missing; what was known of it is kept, and it is watched again once it is there", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s can't be read: permission denied; give the user of the daemon the rights r and x on it, and x on the folders above", dir)
	case errors.Is(err, errNotFolder):
		return err.Error()
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
