package api

import (
	"context"
	"net"
	"os/user"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Principal is who sent a request.
type Principal struct {
	Name string // the Unix user, or token: and the name of the token
	Via  string // the door: unix, tcp or tls
	Role Role

	UID, GID uint32 // of a Unix user; with a token they mean nothing
	Token    string // the id of the token; empty for Unix users
	Trigger  string // the id of the trigger that a token of role source may deliver to
}

// The doors.
const (
	viaUnix = "unix"
	viaTCP  = "tcp"
	viaTLS  = "tls"
)

type principalKey struct{}

// withPeer remembers who is at the other end of a Unix connection; the name is
// looked up when a request first asks for it.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, principalKey{}, sync.OnceValues(func() (Principal, error) { return peer(uc) }))
}

// withPrincipal says who sent a request.
func withPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, func() (Principal, error) { return p, nil })
}

// principalOf returns who sent the request; an error when nobody knows, which only
// the routes for everybody are asked by.
func principalOf(ctx context.Context) (Principal, error) {
	f, ok := ctx.Value(principalKey{}).(func() (Principal, error))
	if !ok {
		return Principal{}, errStranger
	}
	return f()
}

// peer is a user of the socket. Who may use it may run code as the runner's user, so
// nothing is kept from them.
func peer(c *net.UnixConn) (Principal, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Principal{}, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Principal{}, err
	}
	if credErr != nil {
		return Principal{}, credErr
	}
	return Principal{Name: userName(cred.Uid), Via: viaUnix, Role: RoleAdmin, UID: cred.Uid, GID: cred.Gid}, nil
}

// userName is the name of a user, or the number of one without a name.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
