package dispatcher

import "sync"

// slots hands out the attempt slots of one executor, one at a time in turn between
// the dispatches that wait.
type slots struct {
	mu     sync.Mutex
	limit  int
	used   int
	closed bool     // nothing is handed out
	ring   []*claim // those that wait; the first is served next
}

// claim is one dispatch's wish for slots of one executor.
type claim struct {
	want  int
	grant func() // one more slot; called with the lock of slots held, must not block
}

// take wishes for n more slots. It returns how many the claim gets at once; the
// others come through c.grant, until withdraw.
func (s *slots) take(c *claim, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := max(0, min(n, s.limit-s.used)) // when a slot is free nobody waits
	if s.closed {
		now = 0
	}
	s.used += now
	if n -= now; n > 0 {
		if c.want == 0 {
			s.ring = append(s.ring, c)
		}
		c.want += n
	}
	return now
}

// free tells whether a wish for one would be fulfilled at once.
func (s *slots) free() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.used < s.limit
}

// force takes n slots whether they are free or not, for attempts that run already.
func (s *slots) force(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += n
}

// put gives n slots back.
func (s *slots) put(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	s.serve()
}

// serve hands out what is free. s.mu is held.
func (s *slots) serve() {
	for !s.closed && s.used < s.limit && len(s.ring) > 0 {
		c := s.ring[0]
		s.ring = s.ring[1:]
		c.want--
		s.used++
		c.grant()
		if c.want > 0 {
			s.ring = append(s.ring, c)
		}
	}
}

// withdraw ends the wish of c. Slots granted before stay its own.
func (s *slots) withdraw(c *claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.want == 0 {
		return
	}
	c.want = 0
	for i, other := range s.ring {
		if other == c {
			s.ring = append(s.ring[:i:i], s.ring[i+1:]...)
			return
		}
	}
}

// shut keeps back what is free, or hands it out again.
func (s *slots) shut(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = yes
	s.serve()
}

// resize changes how many there are. What runs above a smaller number goes on.
func (s *slots) resize(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	s.serve()
}

func (s *slots) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit
}

func (s *slots) inUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}
