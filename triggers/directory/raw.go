package directory

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// rawMask is what fsnotify does not tell: that a writer has closed a file, and that a
// file was moved in. The rest says that a name, or the folder itself, went away.
const rawMask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR | unix.IN_MASK_ADD

// rawWatcher is an inotify descriptor whose goroutine sorts closings into hints.
type rawWatcher struct {
	file *os.File
	fd   int
	done chan struct{}

	// mu guards users. It is never held while the kernel is asked: a file server that
	// is gone may not answer, and the hints of all others go through it. The hub adds
	// and removes one at a time.
	mu    sync.RWMutex
	users map[int][]user // by watch descriptor; two paths may lead to one folder

	from      halfMove // of the goroutine
	overflows *atomic.Int64
}

// halfMove is the last name that was moved away; the next event may say where to.
type halfMove struct {
	cookie uint32
	wd     int
	name   string
}

func openRaw(overflows *atomic.Int64) (*rawWatcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open inotify: %w", err)
	}
	r := &rawWatcher{file: os.NewFile(uintptr(fd), "inotify"), fd: fd, done: make(chan struct{}), users: map[int][]user{}, overflows: overflows}
	go r.read() // ends with close
	return r, nil
}

func (r *rawWatcher) close() {
	r.file.Close()
	<-r.done
}

// mask is what the raw descriptor has to tell. That a folder is gone, and that its file
// system was unmounted, is told in any case.
func (w wanted) mask() uint32 {
	switch {
	case w.unmount:
		return unix.IN_DELETE_SELF | unix.IN_ONLYDIR | unix.IN_MASK_ADD
	case w.folders:
		return rawMask | unix.IN_CREATE
	}
	return rawMask
}

// add watches dir for what mask says.
func (r *rawWatcher) add(dir string, to user, mask uint32) (int, error) {
	wd, err := unix.InotifyAddWatch(r.fd, dir, mask)
	if err != nil {
		return 0, fmt.Errorf("add an inotify watch: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users[wd] = append(r.users[wd], to)
	return wd, nil
}

func (r *rawWatcher) remove(wd int, to user) {
	if r.forget(wd, to) {
		_, _ = unix.InotifyRmWatch(r.fd, uint32(wd)) // gone already if the folder is
	}
}

// forget tells whether it was the last user of the descriptor.
func (r *rawWatcher) forget(wd int, to user) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	users, known := r.users[wd]
	if i := slices.Index(users, to); i >= 0 {
		users = slices.Delete(users, i, i+1)
	}
	if len(users) > 0 {
		r.users[wd] = users
		return false
	}
	delete(r.users, wd)
	return known
}

// read sorts events until the descriptor is closed.
func (r *rawWatcher) read() {
	defer close(r.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.file.Read(buf)
		if err != nil {
			r.everyone() // closed, or broken: then polling has to do
			return
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			wd := int(int32(binary.NativeEndian.Uint32(rest)))
			mask := binary.NativeEndian.Uint32(rest[4:])
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
			if end > len(rest) {
				break
			}
			name := bytes.TrimRight(rest[unix.SizeofInotifyEvent:end], "\x00")
			r.sort(wd, mask, binary.NativeEndian.Uint32(rest[8:]), string(name))
			rest = rest[end:]
		}
	}
}

func (r *rawWatcher) sort(wd int, mask, cookie uint32, name string) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		r.overflows.Add(1)
		r.everyone()
		return
	}
	if mask&unix.IN_IGNORED != 0 {
		r.mu.Lock()
		users := r.users[wd]
		delete(r.users, wd)
		r.mu.Unlock()
		for _, u := range users {
			u.gone()
		}
		return
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	folder := mask&unix.IN_ISDIR != 0
	if mask&unix.IN_MOVED_FROM != 0 {
		r.from = halfMove{cookie, wd, name}
	}
	for _, u := range r.users[wd] {
		switch {
		case len(name) == 0:
			u.gone() // deleted, moved or unmounted
		case mask&unix.IN_CLOSE_WRITE != 0:
			u.add(name, signClosed)
		case mask&unix.IN_MOVED_TO != 0:
			u.hints.add(hint{name: u.path(name), sign: signArrived, from: r.cameFrom(u, cookie)})
		case folder || mask&unix.IN_CREATE == 0:
			u.add(name, 0)
		}
	}
}

// cameFrom is the name that a file had which was moved to a folder of the trigger, if
// it was in one of its folders before. r.mu is held.
func (r *rawWatcher) cameFrom(to user, cookie uint32) string {
	if r.from.cookie != cookie {
		return ""
	}
	for _, u := range r.users[r.from.wd] {
		if u.hints == to.hints {
			return u.path(r.from.name)
		}
	}
	return ""
}

// everyone tells all that hints were lost.
func (r *rawWatcher) everyone() {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, users := range r.users {
		for _, u := range users {
			u.hints.lose(false)
		}
	}
}
