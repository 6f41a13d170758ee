package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/rs/zerolog"
)

// DoorOptions say how requests come in over TCP.
type DoorOptions struct {
	CertFile string // TLS, PEM; both or none, read again when they change
	KeyFile  string
	// AllowPlain lets others on the network read along: without it an address that is
	// not loopback wants TLS.
	AllowPlain bool
	Log        zerolog.Logger // default: silent
}

// Door is an address over TCP at which a Server answers.
type Door struct {
	net.Listener
	certs *certificates // nil: plain
}

// ListenTCP opens a door at HOST:PORT.
func ListenTCP(ctx context.Context, addr string, o DoorOptions) (*Door, error) {
	d := &Door{}
	if o.CertFile != "" || o.KeyFile != "" {
		var err error
		if d.certs, err = newCertificates(o.CertFile, o.KeyFile, o.Log); err != nil {
			return nil, err
		}
	}
	at, err := resolve(ctx, addr)
	if err != nil {
		return nil, err
	}
	if d.certs == nil && !o.AllowPlain && !at.IP.IsLoopback() {
		return nil, fmt.Errorf("listen at %s: tokens would cross the network for all to read; give a certificate with --tls-cert and --tls-key, listen at 127.0.0.1 behind a proxy, or say --allow-plain if the network is yours alone", addr)
	}
	var conf net.ListenConfig
	if d.Listener, err = conf.Listen(ctx, "tcp", at.String()); err != nil {
		return nil, fmt.Errorf("listen at %s: %w%s", addr, errors.Unwrap(err), bindHint(err))
	}
	return d, nil
}

// bindHint is what to do about an address that can't be had.
func bindHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "; another program listens there (ss -ltnp shows which): stop it, or choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "; this machine has no such address (ip address shows those it has); 0.0.0.0 is each of them"
	}
	return ""
}

// resolve makes one address of HOST:PORT; without a host it is all of the machine's.
func resolve(ctx context.Context, addr string) (*net.TCPAddr, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: write HOST:PORT, such as 127.0.0.1:8321", addr)
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", addr, err)
	}
	if host == "" {
		return &net.TCPAddr{IP: net.IPv6unspecified, Port: n}, nil
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", addr, err)
	}
	return &net.TCPAddr{IP: ips[0].IP, Zone: ips[0].Zone, Port: n}, nil
}

// via is how the door is called.
func (d *Door) via() string {
	if d.certs != nil {
		return viaTLS
	}
	return viaTCP
}

// String is the address for people and clients.
func (d *Door) String() string {
	if d.certs != nil {
		return "https://" + d.Addr().String()
	}
	return "http://" + d.Addr().String()
}

// secured is the listener with TLS, if the door has it. HTTP/2 is left out: its many
// streams per connection would be outside the limits of connections.
func (d *Door) secured(l net.Listener) net.Listener {
	if d.certs == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: d.certs.get})
}

type doorKey struct{}

// doorOf is the door a request came in by; nil on the socket.
func doorOf(ctx context.Context) *Door {
	d, _ := ctx.Value(doorKey{}).(*Door)
	return d
}
