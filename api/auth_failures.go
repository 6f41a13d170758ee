package api

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// What an address may do wrong.
const (
	freeFailures   = 10 // in a minute
	failureMemory  = time.Minute
	longestPenalty = time.Minute
	maxAddresses   = 4096
)

// failures counts wrong tokens and signatures by address. Who fails often is told to
// wait longer and longer, and logged less and less; a right token is never held up,
// since others may share the address. The secrets are too long to be guessed: this
// saves the log and the disk.
type failures struct {
	mu    sync.Mutex
	by    map[netip.Addr]*failed
	total int64
}

// failed is one address.
type failed struct {
	n    int
	last time.Time
}

func newFailures() *failures { return &failures{by: map[netip.Addr]*failed{}} }

// add notes one and returns how often the address has failed lately, and how long it
// has to wait.
func (f *failures) add(addr netip.Addr, now time.Time) (n int, wait time.Duration) {
	addr = neighbourhood(addr)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	one := f.by[addr]
	if one == nil || now.Sub(one.last) > failureMemory+penalty(one.n) {
		f.makeRoom()
		one = &failed{}
		f.by[addr] = one
	}
	one.n++
	one.last = now
	return one.n, penalty(one.n)
}

// count is how many there were.
func (f *failures) count() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return float64(f.total)
}

// makeRoom forgets, of a few that come to hand, who was quiet for longest: to look at
// all of them each time would be work that a stranger can order.
func (f *failures) makeRoom() {
	if len(f.by) < maxAddresses {
		return
	}
	const few = 8
	var quiet netip.Addr
	var at time.Time
	looked := 0
	for addr, one := range f.by {
		if looked == 0 || one.last.Before(at) {
			quiet, at = addr, one.last
		}
		if looked++; looked == few {
			break
		}
	}
	delete(f.by, quiet)
}

// penalty grows from a second to a minute.
func penalty(n int) time.Duration {
	if n <= freeFailures {
		return 0
	}
	return min(time.Second<<min(n-freeFailures-1, 10), longestPenalty)
}

// neighbourhood is what one person has of addresses: of IPv6 a /64.
func neighbourhood(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if p, err := a.Prefix(64); a.Is6() && err == nil {
		return p.Addr()
	}
	return a
}

// loud tells whether the nth failure is worth a line: 1, 10, 100 …
func loud(n int) bool {
	return n > 0 && math.Pow10(int(math.Round(math.Log10(float64(n))))) == float64(n)
}

// slowed is the answer to who fails too often.
func slowed(wait time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: codeTooManyFailures, RetryAfter: wait,
		Detail: fmt.Sprintf("too many wrong tokens from this address; try again in %s", wait),
	}
}
