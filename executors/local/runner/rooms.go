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
	rest   int // so many rooms are left after one before that is entered
	limit  int
	uid    int

	mu   sync.Mutex
	free []string
	next int
}

const (
	roomPrefix = ".spare-"
	largeLog   = 64 << 10
)

func newRooms(work string, protocol, rest, limit int) *rooms {
	return &rooms{work: work, prefix: roomPrefix + strconv.Itoa(protocol) + "-", rest: rest, limit: limit, uid: os.Getuid()}
}

// enter gives an attempt a room at dir, its logs open; false when there is none. The
// logs are looked at here and not when they are left: a process that was being made at
// that time had them as well until it executed its program. So the room that was left
// first is taken, once it has rested: one that was left just now is often refused.
func (q *rooms) enter(dir string) (logs [2]int, ok bool) {
	q.mu.Lock()
	if len(q.free) <= q.rest {
		q.mu.Unlock()
		return logs, false
	}
	spare := q.free[0]
	q.free = q.free[1:]
	q.mu.Unlock()
	logs = [2]int{q.blankLog(spare + "/" + stdoutName), q.blankLog(spare + "/" + stderrName)}
	if logs[0] >= 0 && logs[1] >= 0 && unix.Rename(spare, dir) == nil {
		return logs, true
	}
	for _, fd := range logs {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	removeDir(spare)
	return logs, false
}

// leave removes the directory of an attempt, or keeps it for another one. The runner has
// closed its logs.
func (q *rooms) leave(dir string) {
	q.mu.Lock()
	full := len(q.free) >= q.limit
	q.next++
	spare := filepath.Join(q.work, q.prefix+strconv.Itoa(q.next))
	q.mu.Unlock()
	// Renamed first: from here on nobody opens anything by the name they know.
	if full || unix.Rename(dir, spare) != nil {
		removeDir(dir)
		return
	}
	if !q.tidy(spare) {
		removeDir(spare)
		return
	}
	q.mu.Lock()
	q.free = append(q.free, spare)
	q.mu.Unlock()
}

// tidy makes a room as it was when it was new but for what the logs hold; false when that
// isn't possible.
func (q *rooms) tidy(dir string) bool {
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil || st.Mode != unix.S_IFDIR|0o755 || int(st.Uid) != q.uid || !plainAttributes(dir) {
		return false
	}
	names, err := list(dir)
	if err != nil {
		return false
	}
	logs := 0
	for _, n := range names {
		path := filepath.Join(dir, n)
		switch {
		case n == stdoutName || n == stderrName:
			if unix.Lstat(path, &st) != nil || st.Size > largeLog {
				return false // its space is wanted back now
			}
			logs++
		case unix.Unlink(path) != nil && removeTree(path) != nil:
			return false
		}
	}
	return logs == 2
}

// blankLog opens a log anew and empties it; -1 when it can't serve another attempt.
func (q *rooms) blankLog(path string) int {
	fd, st := reopenLog(path)
	if fd < 0 {
		return -1
	}
	blank := st.Size == 0 && st.Blocks == 0
	if st.Mode&0o7777 != 0o644 || int(st.Uid) != q.uid || !alone(fd) || !blank && unix.Ftruncate(fd, 0) != nil {
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

// plainAttributes tells whether a directory has no attributes beside those of the system's
// security modules: its access list would be handed on to whatever is made in it.
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

// clean removes the spare rooms, those of an earlier runner of the same protocol included.
func (q *rooms) clean() {
	q.mu.Lock()
	q.free = nil
	q.mu.Unlock()
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
