package dbtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// FreePort is one that nobody listens at, below those that the kernel gives to clients:
// a server that comes back finds it free, and who asks for it meanwhile reaches nobody.
// One of those would be taken by the next connection of another test, or of who asks.
func FreePort() (int, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))); err == nil { //nolint:gosec // nobody is to be surprised
			return l.Addr().(*net.TCPAddr).Port, l.Close()
		}
	}
	return 0, errors.Join(errors.New("no port is free"), err)
}
