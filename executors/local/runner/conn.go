package runner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	headerSize   = 7        // length of the body (4), kind (1), number of descriptors (2)
	maxBody      = 16 << 20 // a daemon keeps to inlineBudget, so this is a sign of nonsense
	readBuffer   = 16 << 10
	maxFDs       = 250 // the kernel takes 253 in one go
	sendDeadline = 30 * time.Second
)

// ErrTooLong means that something can't be said in one message. The connection is still good.
var ErrTooLong = errors.New("too long for a message")

// Conn carries messages and descriptors over a Unix stream socket. Send may be
// called from any goroutine, Receive from one.
type Conn struct {
	c *net.UnixConn

	mu     sync.Mutex // guards out and the order of what is written
	out    []byte
	due    time.Time // the deadline that is set
	broken error     // why nothing more can be written

	buf  []byte // what was read and not yet consumed is buf[r:w]
	r, w int
	oob  []byte
	fds  []int // received and not yet claimed by a message
	once sync.Once
}

// NewConn makes a Conn of a connected socket.
func NewConn(c *net.UnixConn) *Conn {
	return &Conn{c: c, buf: make([]byte, readBuffer), oob: make([]byte, unix.CmsgSpace(maxFDs*4))}
}

// Close ends the connection; a Receive that waits returns an error.
func (c *Conn) Close() { c.once.Do(func() { _ = c.c.Close() }) }

// Send writes m; fds travel with it and still belong to the caller. What a peer that hung
// up has said before can still be received.
func (c *Conn) Send(m Message, fds ...int) error {
	if len(fds) > 1<<16-1 {
		return fmt.Errorf("%d descriptors: %w", len(fds), ErrTooLong)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	e := coder{buf: append(c.out[:0], make([]byte, headerSize)...)}
	m.fields(&e)
	body := len(e.buf) - headerSize
	if body > maxBody {
		return fmt.Errorf("%d bytes: %w", body, ErrTooLong)
	}
	binary.LittleEndian.PutUint32(e.buf, uint32(body))
	e.buf[4] = m.kind()
	binary.LittleEndian.PutUint16(e.buf[5:], uint16(len(fds)))
	if cap(e.buf) <= 64<<10 {
		c.out = e.buf
	}
	// A peer that reads nothing must not hold up whoever reports to it.
	if now := time.Now(); c.due.Sub(now) < sendDeadline {
		c.due = now.Add(2 * sendDeadline) // far enough not to be moved each time
		_ = c.c.SetWriteDeadline(c.due)   // a connected socket takes it
	}
	if err := c.write(e.buf, fds); err != nil {
		c.broken = err // half a message is out: nothing after it would be understood
		if !hungUp(err) {
			c.Close()
		}
		return err
	}
	return nil
}

// write sends b with fds, one byte for each full set of descriptors but the last.
func (c *Conn) write(b []byte, fds []int) error {
	for len(fds) > 0 {
		n := min(len(fds), maxFDs)
		part := b
		if n < len(fds) {
			part = b[:1]
		}
		sent, _, err := c.c.WriteMsgUnix(part, unix.UnixRights(fds[:n]...), nil)
		if err != nil {
			return err
		}
		b, fds = b[sent:], fds[n:]
	}
	if len(b) == 0 {
		return nil
	}
	_, err := c.c.Write(b)
	return err
}

// Receive reads the next message. The descriptors belong to the caller.
func (c *Conn) Receive() (Message, []int, error) {
	for c.w-c.r < headerSize {
		if err := c.fill(headerSize); err != nil {
			return nil, nil, err
		}
	}
	head := c.buf[c.r:]
	body := int(binary.LittleEndian.Uint32(head))
	kind, nfds := head[4], int(binary.LittleEndian.Uint16(head[5:]))
	if body > maxBody {
		return nil, nil, fmt.Errorf("%d bytes: %w", body, ErrTooLong)
	}
	for c.w-c.r < headerSize+body {
		if err := c.fill(headerSize + body); err != nil {
			return nil, nil, err
		}
	}
	c.r += headerSize
	m, err := decode(kind, c.buf[c.r:c.r+body])
	c.r += body
	if nfds > len(c.fds) {
		return nil, nil, fmt.Errorf("message of kind %d lacks descriptors: %d of %d", kind, len(c.fds), nfds)
	}
	fds := c.fds[:nfds:nfds]
	c.fds = c.fds[nfds:]
	if err != nil {
		CloseAll(fds)
		return nil, nil, err
	}
	return m, fds, nil
}

// fill reads more, making room for a message of want bytes.
func (c *Conn) fill(want int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	switch {
	case want > len(c.buf) || (c.w == 0 && len(c.buf) > readBuffer && want <= readBuffer):
		b := make([]byte, max(want, readBuffer)) // larger only as long as it is needed
		c.w = copy(b, c.buf[c.r:c.w])
		c.r, c.buf = 0, b
	case c.r+want > len(c.buf):
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	n, oobn, flags, _, err := c.c.ReadMsgUnix(c.buf[c.w:], c.oob)
	if oobn > 0 {
		if e := c.claim(c.oob[:oobn]); e != nil && err == nil {
			err = e
		}
	}
	if flags&unix.MSG_CTRUNC != 0 && err == nil {
		err = errors.New("descriptors were lost: too many open files")
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return err
	}
	c.w += n
	return nil
}

func (c *Conn) claim(oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("control message: %w", err)
	}
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			return fmt.Errorf("control message: %w", err)
		}
		c.fds = append(c.fds, fds...)
	}
	return nil
}

// hungUp tells whether the other side has, though something it said may not be received yet.
func (c *Conn) hungUp() bool {
	raw, err := c.c.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		look := []unix.PollFd{{Fd: int32(fd)}} //nolint:gosec // descriptors are small
		n, err := unix.Poll(look, 0)
		gone = err == nil && n > 0 && look[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}

// Drop closes the descriptors that no message claimed. Call it after the last Receive.
func (c *Conn) Drop() {
	CloseAll(c.fds)
	c.fds = nil
}

// CloseAll closes fds.
func CloseAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
