package runner

import (
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
// it: no other file, no descriptor that was handed out, no other link.
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

// leave takes the room of an attempt back; false when it can't be used again.
func (q *rooms) leave(dir string, logs [2]int, bare bool) bool {
	q.mu.Lock()
	full := len(q.free) >= q.limit
	q.next++
	r := room{dir: filepath.Join(q.work, q.prefix+strconv.Itoa(q.next)), logs: logs}
	q.mu.Unlock()
	if full || !blankLogs(logs, q.uid) || !sweepOut(dir, q.uid, bare) || unix.Rename(dir, r.dir) != nil {
		return false
	}
	q.mu.Lock()
	q.free = append(q.free, r)
	q.mu.Unlock()
	return true
}

// blankLogs empties the logs and tells whether they can serve another attempt.
func blankLogs(logs [2]int, uid int) bool {
	for _, fd := range logs {
		var st unix.Stat_t
		if fd < 0 || unix.Fstat(fd, &st) != nil {
			return false
		}
		if st.Nlink != 1 || st.Mode&0o7777 != 0o644 || int(st.Uid) != uid {
			return false
		}
		if (st.Size > 0 || st.Blocks > 0) && unix.Ftruncate(fd, 0) != nil {
			return false
		}
	}
	return true
}

// sweepOut removes everything but the logs from dir.
func sweepOut(dir string, uid int, bare bool) bool {
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil || st.Mode != unix.S_IFDIR|0o755 || int(st.Uid) != uid {
		return false
	}
	if bare {
		return true
	}
	names, err := list(dir)
	if err != nil {
		return false
	}
	logs := 0
	for _, n := range names {
		if n == stdoutName || n == stderrName {
			logs++
			continue
		}
		if os.RemoveAll(filepath.Join(dir, n)) != nil {
			return false
		}
	}
	return logs == 2
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
