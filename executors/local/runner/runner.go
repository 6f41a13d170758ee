package runner

import (
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// runner owns the attempts of one state directory. Its goroutines: one reads each
// session, a few start attempts, wait for children in turns and deal with their ends,
// one keeps house (logs, idling, old directories), and one watches each
// attempt of a dead runner. An attempt that just runs has no goroutine.
type runner struct {
	o       Options
	log     zerolog.Logger
	work    string
	boot    string
	env     []string
	null    int // /dev/null
	self    int
	groups  *cgroups // nil: none
	journal *journal
	door    *net.UnixListener
	rooms   *rooms

	forking  sync.Mutex    // held from fork until the child is in mains
	waiting  atomic.Bool   // somebody waits for children
	follow   chan struct{} // hands the waiting to a follower
	signal   func(process, unix.Signal) error
	adopting sync.Mutex    // held while other journals are looked at
	jobs     chan func()   // for goroutines that have the stack for it
	changed  chan struct{} // wakes the housekeeper

	mu       sync.Mutex
	attempts map[string]*attempt
	mains    map[int]*attempt // main processes that are children and not reaped yet
	sessions map[*session]struct{}
	came     int  // sessions so far
	live     int  // attempts that are not ended
	asked    bool // there has been a session
	closing  bool // no more sessions
	stray    bool // see astray
	asleep   bool // the housekeeper wants to know of the next start
}

const (
	restingRooms = 8  // those of attempts that have ended just now
	maxRooms     = 32 // kept for further attempts
)

func newRunner(o Options, boot string, log zerolog.Logger) *runner {
	return &runner{
		o: o, log: log, boot: boot, work: WorkDir(o.StateDir), rooms: newRooms(WorkDir(o.StateDir), o.Protocol, restingRooms, maxRooms), env: baseEnv(), self: os.Getpid(),
		follow: make(chan struct{}), jobs: make(chan func()), signal: signalProcess, changed: make(chan struct{}, 1),
		attempts: map[string]*attempt{}, mains: map[int]*attempt{}, sessions: map[*session]struct{}{},
	}
}

func (r *runner) hello() *Hello {
	h := &Hello{
		Protocol: int64(r.o.Protocol), PID: int64(r.self), UID: int64(os.Getuid()), BootID: r.boot,
		User: lookupEnv(r.env, "USER"), WorkDir: r.work,
	}
	if r.groups != nil {
		h.Cgroup = r.groups.dir
	}
	return h
}

// astray tells whether the state directory was moved away or wiped below this runner.
// What lies at its path is then for another runner to serve: this one keeps the socket
// no longer, starts nothing, and leaves when its own attempts have ended and whoever
// wanted to know of them has hung up.
func (r *runner) astray() bool {
	gone := r.journal.gone()
	r.mu.Lock()
	first := gone && !r.stray
	r.stray = r.stray || gone
	stray, live := r.stray, r.live
	r.mu.Unlock()
	if first {
		r.log.Warn().Str("work", r.work).Int("attempts", live).Msg("the state directory was moved or removed: nothing is started here any more")
		r.shut()
		poke(r.changed)
	}
	return stray
}

// shut closes the socket. Its path may be that of another runner already.
func (r *runner) shut() {
	if r.journal.gone() {
		r.door.SetUnlinkOnClose(false)
	}
	_ = r.door.Close()
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // already awake
	}
}

// tell sends m to every session that wants to hear of a.
func (r *runner) tell(a *attempt, m Message) {
	r.mu.Lock()
	to := slices.Collect(maps.Keys(a.wishes))
	r.mu.Unlock()
	for _, s := range to {
		s.send(m)
	}
}

// drop forgets an attempt that never started, and returns who has to be told. Whoever
// asks for it from now on starts it anew.
func (r *runner) drop(a *attempt) []*session {
	r.mu.Lock()
	delete(r.attempts, a.id)
	r.live--
	idle := len(r.sessions) == 0
	to := slices.Collect(maps.Keys(a.wishes))
	r.mu.Unlock()
	if idle {
		poke(r.changed)
	}
	return to
}

func microseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
