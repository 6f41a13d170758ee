package runner

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// rooms are working directories with their two empty logs, left by attempts that are
// done. Making and removing files is the dearest part of a short attempt, so a room is
// renamed for the next one. It is used again only if nothing of its attempt can show in
// it: rights, attributes and links are as they were made, nothing else lies in it, and
// nobody has a log open, whether it was inherited, handed on, or opened by its name. A
// process that merely stands in the directory can't be seen; it would see the next
// attempt's files, which anybody who knows the path may see.
type rooms struct {
	work   string
	prefix string
	limit  int
	uid    int

	mu   sync.Mutex
	free []room
	next int
}

type room struct {
	dir  string
	logs [2]int // open for appending
}

const roomPrefix = ".spare-"

func newRooms(work string, protocol, limit int) *rooms {
	return &rooms{work: work, prefix: roomPrefix + strconv.Itoa(protocol) + "-", limit: limit, uid: os.Getuid()}
}

// enter gives an attempt a room at dir; false when there is none.
func (q *rooms) enter(dir string) (logs [2]int, ok bool) {
	q.mu.Lock()
	n := len(q.free)
	if n == 0 {
		q.mu.Unlock()
		return logs, false
	}
	r := q.free[n-1]
	q.free = q.free[:n-1]
	q.mu.Unlock()
	if unix.Rename(r.dir, dir) != nil {
		q.demolish(r)
		return logs, false
	}
	return r.logs, true
}

// leave removes the directory of an attempt, or keeps it for another one. The runner has
// closed its logs.
func (q *rooms) leave(dir string) {
	q.mu.Lock()
	full := len(q.free) >= q.limit
	q.next++
	r := room{dir: filepath.Join(q.work, q.prefix+strconv.Itoa(q.next))}
	q.mu.Unlock()
	// Renamed first: from here on nobody opens anything by the name they know.
	if full || unix.Rename(dir, r.dir) != nil {
		removeDir(dir)
		return
	}
	if !q.tidy(&r) {
		removeDir(r.dir)
		return
	}
	q.mu.Lock()
	q.free = append(q.free, r)
	q.mu.Unlock()
}

// tidy makes a room as it was when it was new; false when that isn't possible.
func (q *rooms) tidy(r *room) bool {
	var st unix.Stat_t
	if unix.Lstat(r.dir, &st) != nil || st.Mode != unix.S_IFDIR|0o755 || int(st.Uid) != q.uid || !plainAttributes(r.dir) {
		return false
	}
	names, err := list(r.dir)
	if err != nil {
		return false
	}
	for _, n := range names {
		path := filepath.Join(r.dir, n)
		if n == stdoutName || n == stderrName || unix.Unlink(path) == nil {
			continue
		}
		if removeTree(path) != nil {
			return false
		}
	}
	for i, n := range [2]string{stdoutName, stderrName} {
		if r.logs[i] = q.blankLog(filepath.Join(r.dir, n)); r.logs[i] < 0 {
			if i > 0 {
				_ = unix.Close(r.logs[0])
			}
			return false
		}
	}
	return true
}

// blankLog opens a log anew and empties it; -1 when it can't serve another attempt.
func (q *rooms) blankLog(path string) int {
	fd := reopenLog(path)
	if fd < 0 {
		return -1
	}
	var st unix.Stat_t
	ok := unix.Fstat(fd, &st) == nil && st.Mode&0o7777 == 0o644 && int(st.Uid) == q.uid &&
		plainAttributes("/proc/self/fd/"+strconv.Itoa(fd)) && alone(fd) &&
		(st.Size == 0 && st.Blocks == 0 || unix.Ftruncate(fd, 0) == nil)
	if !ok {
		_ = unix.Close(fd)
		return -1
	}
	return fd
}

// alone tells whether fd is the only opening of its file on this machine: the kernel
// grants a lease for writing then and no other time.
func alone(fd int) bool {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return false
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return err == nil
}

// plainAttributes tells whether a file has no attributes beside those of the system's
// security modules: an access list of its directory is handed on to whatever is made in it.
func plainAttributes(path string) bool {
	var buf [512]byte
	n, err := unix.Listxattr(path, buf[:])
	if errors.Is(err, unix.EOPNOTSUPP) {
		return true
	}
	if err != nil {
		return false
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		if name != "" && !strings.HasPrefix(name, "security.") {
			return false
		}
	}
	return true
}

// list names what is in dir.
func list(dir string) ([]string, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 2048)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

func (q *rooms) demolish(r room) {
	for _, fd := range r.logs {
		_ = unix.Close(fd)
	}
	removeDir(r.dir)
}

// close removes the spare rooms, those of an earlier runner of the same protocol included.
func (q *rooms) close() {
	q.mu.Lock()
	free := q.free
	q.free = nil
	q.mu.Unlock()
	for _, r := range free {
		q.demolish(r)
	}
	q.clean()
}

func (q *rooms) clean() {
	names, err := list(q.work)
	if err != nil {
		return // the directory itself is looked at elsewhere
	}
	for _, n := range names {
		if strings.HasPrefix(n, q.prefix) {
			removeDir(filepath.Join(q.work, n))
		}
	}
}
