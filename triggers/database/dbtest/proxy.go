package dbtest

import (
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Proxy is the network between a client and a server, which can be cut. It has one
// goroutine that takes connections and two for each of them; all have ended when the
// test has.
type Proxy struct {
	Address string // host:port for clients

	listener net.Listener
	target   string
	all      sync.WaitGroup

	mu    sync.Mutex // guards what follows
	mode  mode
	conns map[net.Conn]bool
	moved sync.Cond // with mu: the mode has changed
}

type mode uint8

const (
	passing mode = iota
	stalled      // nothing goes through, and nobody is told
	refused      // connections end at once
	closed       // for good
)

// NewProxy is a way to the server, open at first.
func NewProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return NewForward(t, l, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
}

// NewForward is a way from a listener to an address, or to the path of a socket.
func NewForward(t testing.TB, l net.Listener, target string) *Proxy {
	t.Helper()
	p := &Proxy{Address: l.Addr().String(), listener: l, target: target, conns: map[net.Conn]bool{}}
	p.moved.L = &p.mu
	p.all.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.set(closed)
		p.all.Wait()
	})
	return p
}

// Cut ends all connections and every new one, as a firewall that says no.
func (p *Proxy) Cut() { p.set(refused) }

// Stall lets nothing through, as a pulled cable: no side is told.
func (p *Proxy) Stall() { p.set(stalled) }

// Restore lets through what comes, and what a stall has kept.
func (p *Proxy) Restore() { p.set(passing) }

// Connections are those that are open now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2
}

func (p *Proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	p.moved.Broadcast()
	if m == refused || m == closed {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.all.Go(func() { p.carry(client) })
	}
}

func (p *Proxy) carry(client net.Conn) {
	defer func() { _ = client.Close() }()
	if !p.pass() {
		return
	}
	network := "tcp"
	if strings.HasPrefix(p.target, "/") {
		network = "unix"
	}
	server, err := net.Dial(network, p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !p.keep(client, server) {
		return
	}
	defer p.drop(client, server)
	var back sync.WaitGroup
	back.Go(func() { p.copy(client, server) })
	p.copy(server, client)
	back.Wait()
}

// keep notes a connection, unless the way was cut meanwhile.
func (p *Proxy) keep(ends ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == refused || p.mode == closed {
		return false
	}
	for _, c := range ends {
		p.conns[c] = true
	}
	return true
}

func (p *Proxy) drop(ends ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range ends {
		delete(p.conns, c)
	}
}

// pass waits while the way is stalled; false when it is cut.
func (p *Proxy) pass() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mode == stalled {
		p.moved.Wait()
	}
	return p.mode == passing
}

// copy carries bytes one way until an end is closed, and closes both.
func (p *Proxy) copy(to io.WriteCloser, from io.ReadCloser) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && p.pass() {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
