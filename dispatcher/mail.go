package dispatcher

import "sync"

// mail is what reaches a walk from outside its goroutine.
type mail struct {
	mu     sync.Mutex
	news   []news
	seen   []seen
	grants map[string]int // slots by executor
}

func (m *mail) see(s seen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, s)
}

// takeSeen empties that part of the box.
func (m *mail) takeSeen() []seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	ss := m.seen
	m.seen = nil
	return ss
}

func (m *mail) tell(n news) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.news = append(m.news, n)
}

func (m *mail) grant(executor string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grants[executor]++
}

// take empties the box.
func (m *mail) take() ([]news, map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ns, gs := m.news, m.grants
	m.news, m.grants = nil, map[string]int{}
	return ns, gs
}
