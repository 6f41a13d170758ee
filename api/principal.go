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
	Name string
	UID  uint32
	GID  uint32
}

type principalKey struct{}

// withPeer remembers who is at the other end of a Unix connection; the name is
// looked up when a request first asks for it.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, principalKey{}, sync.OnceValues(func() (Principal, error) { return peer(c) }))
}

// principalOf returns who sent the request.
func principalOf(ctx context.Context) (Principal, error) {
	f, ok := ctx.Value(principalKey{}).(func() (Principal, error))
	if !ok {
		return Principal{}, &Error{Status: 401, Code: "unauthenticated", Detail: "who you are could not be learned from the connection"}
	}
	return f()
}

func peer(c net.Conn) (Principal, error) {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return Principal{}, &Error{Status: 401, Code: "unauthenticated", Detail: "only connections over the Unix socket are known"}
	}
	raw, err := uc.SyscallConn()
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
	return Principal{Name: userName(cred.Uid), UID: cred.Uid, GID: cred.Gid}, nil
}

// userName is the name of a user, or the number of one without a name.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
