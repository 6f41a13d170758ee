package api

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// crowd are the connections over TCP, of all doors together. When there are too many,
// the one that has been idle for longest makes room; when none is, the new one is
// closed. One address gets half of the room at most.
type crowd struct {
	max int

	mu      sync.Mutex
	open    int
	by      map[netip.Addr]int
	idle    map[*guest]int64 // when it became idle, by turn
	turn    int64
	refused int64
}

// guest is one connection.
type guest struct {
	net.Conn
	crowd *crowd
	from  netip.Addr
	leave sync.Once
}

func newCrowd(most int) *crowd {
	return &crowd{max: most, by: map[netip.Addr]int{}, idle: map[*guest]int64{}}
}

// enter takes a connection, or returns nil and has closed it.
func (c *crowd) enter(conn net.Conn) *guest {
	g := &guest{Conn: conn, crowd: c}
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		g.from = neighbourhood(tcp.AddrPort().Addr())
	}
	if !c.admits(g) {
		_ = conn.Close()
		return nil
	}
	return g
}

func (c *crowd) admits(g *guest) bool {
	c.mu.Lock()
	var goes *guest
	crowded := c.by[g.from] >= max(c.max/2, 1)
	if crowded || c.open >= c.max {
		goes = c.idlest(crowded, g.from)
		if goes == nil {
			c.refused++
			c.mu.Unlock()
			return false
		}
		delete(c.idle, goes)
	}
	c.open++
	c.by[g.from]++
	c.mu.Unlock()
	if goes != nil {
		_ = goes.Close()
	}
	return true
}

// idlest is the connection that has been idle for longest, of one address or of all.
func (c *crowd) idlest(only bool, from netip.Addr) (found *guest) {
	for g, turn := range c.idle {
		if (!only || g.from == from) && (found == nil || turn < c.idle[found]) {
			found = g
		}
	}
	return found
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.leave.Do(func() {
		c := g.crowd
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open--
		delete(c.idle, g)
		if c.by[g.from]--; c.by[g.from] == 0 {
			delete(c.by, g.from)
		}
	})
	return g.Conn.Close()
}

// state is told by net/http what becomes of a connection.
func (c *crowd) state(conn net.Conn, s http.ConnState) {
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = t.NetConn()
	}
	g, ok := conn.(*guest)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.idle, g)
	if s == http.StateIdle {
		c.turn++
		c.idle[g] = c.turn
	}
}

// counts are how many connections are open, and how many were refused.
func (c *crowd) counts() (open, refused float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return float64(c.open), float64(c.refused)
}

// gate is a listener that lets in whom the crowd has room for.
type gate struct {
	net.Listener
	crowd *crowd
}

// Accept implements net.Listener.
func (l *gate) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := l.crowd.enter(conn); g != nil {
			return g, nil
		}
	}
}
