package main

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/latticed/latticed/store"
)

var (
	errNoAnswer = errors.New("it does not answer: is its file server gone?")
	errNotAsked = errors.New("it was not looked at: too many others do not answer")
)

// seen is what a look at a folder has shown.
type seen struct {
	kind    string // of a network file system
	network bool
	err     error
}

// looks bounds the looks at folders: one at a folder whose file server is gone takes for
// as long as that likes, and its thread with it.
type looks struct {
	at    func(dir string) seen
	slots chan struct{}

	mu   sync.Mutex
	away map[string]struct{} // folders whose look has not ended
}

const looksAtATime = 16

func newLooks() *looks {
	return &looks{at: lookAt, slots: make(chan struct{}, looksAtATime), away: map[string]struct{}{}}
}

// all looks at folders, and waits so long for all of them together. A look that has not
// ended since the last time is not begun again.
func (l *looks) all(dirs []string, within time.Duration) map[string]seen {
	type answer struct {
		dir string
		seen
	}
	found, answers := map[string]seen{}, make(chan answer, len(dirs))
	limit := time.NewTimer(within)
	defer limit.Stop()
	over, asked := false, 0
	for _, dir := range dirs {
		if _, twice := found[dir]; twice {
			continue
		}
		if !l.begin(dir) {
			found[dir] = seen{err: errNoAnswer}
			continue
		}
		if !over {
			select {
			case l.slots <- struct{}{}:
			case <-limit.C:
				over = true
			}
		}
		if over {
			l.end(dir)
			found[dir] = seen{err: errNotAsked}
			continue
		}
		found[dir], asked = seen{err: errNoAnswer}, asked+1
		go func() { // a file server that is gone keeps it
			s := l.at(dir)
			l.end(dir)
			<-l.slots
			answers <- answer{dir, s}
		}()
	}
	for ; asked > 0 && !over; asked-- {
		select {
		case a := <-answers:
			found[a.dir] = a.seen
		case <-limit.C:
			over = true
		}
	}
	for range len(answers) { // they came while others were waited for
		a := <-answers
		found[a.dir] = a.seen
	}
	return found
}

// begin tells whether nobody looks at a folder; the caller does then.
func (l *looks) begin(dir string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, away := l.away[dir]
	l.away[dir] = struct{}{}
	return !away
}

func (l *looks) end(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.away, dir)
}

func lookAt(dir string) (s seen) {
	if s.kind, s.network, s.err = store.NetworkFilesystem(dir); s.err != nil {
		return s
	}
	f, err := os.Open(dir)
	if err != nil {
		s.err = err
		return s
	}
	_ = f.Close()
	return s
}
