package api

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
)

// hosts are the names a daemon goes by. A page whose own name was made to point here
// (DNS rebinding) asks for another.
type hosts struct {
	machine []string
	more    atomic.Pointer[[]string]
}

func newHosts(more []string) *hosts {
	h := &hosts{machine: []string{"localhost"}}
	if name, err := os.Hostname(); err == nil && name != "" {
		short, _, _ := strings.Cut(name, ".")
		h.machine = append(h.machine, strings.ToLower(name), strings.ToLower(short))
	}
	h.set(more)
	return h
}

func (h *hosts) set(more []string) {
	names := make([]string, len(more))
	for i, name := range more {
		names[i] = hostname(name)
	}
	h.more.Store(&names)
}

// known tells whether the Host of a request is us: a loopback address or the one that
// was connected to, the machine's name, a name of the certificate, or one that the
// configuration names.
func (h *hosts) known(r *http.Request, d *Door) bool {
	host := hostname(r.Host)
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Unmap().IsLoopback() || ip.Unmap().WithZone("") == localAddr(r) {
			return true
		}
	}
	for _, names := range [][]string{h.machine, *h.more.Load()} {
		for _, name := range names {
			if host == name {
				return true
			}
		}
	}
	if d.certs == nil || host == "" {
		return false
	}
	leaf := d.certs.current().Leaf
	return leaf != nil && leaf.VerifyHostname(host) == nil
}

// hostname is a Host without its port, brackets and last dot.
func hostname(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// localAddr is the address that was connected to.
func localAddr(r *http.Request) netip.Addr {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
