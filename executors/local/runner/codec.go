package runner

import (
	"encoding/binary"
	"errors"
)

// coder writes or reads the fields of a message, so that a message names its
// fields once, for both directions. Integers are varints, texts and bytes carry
// their length. A reader never allocates more than its input is long.
type coder struct {
	buf     []byte
	reading bool
	err     error
}

var errShort = errors.New("message ends early")

func (c *coder) fail() {
	if c.err == nil {
		c.err = errShort
	}
	c.buf = nil
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	x, n := binary.Uvarint(c.buf)
	if n <= 0 {
		c.fail()
		return
	}
	*v, c.buf = x, c.buf[n:]
}

func (c *coder) int(v *int64) {
	if !c.reading {
		c.buf = binary.AppendVarint(c.buf, *v)
		return
	}
	x, n := binary.Varint(c.buf)
	if n <= 0 {
		c.fail()
		return
	}
	*v, c.buf = x, c.buf[n:]
}

func (c *coder) bool(v *bool) {
	if !c.reading {
		b := byte(0)
		if *v {
			b = 1
		}
		c.buf = append(c.buf, b)
		return
	}
	if len(c.buf) == 0 {
		c.fail()
		return
	}
	*v, c.buf = c.buf[0] != 0, c.buf[1:]
}

// take reads a length and that many bytes, which still belong to the input.
func (c *coder) take() []byte {
	var n uint64
	c.uint(&n)
	if n > uint64(len(c.buf)) {
		c.fail()
		return nil
	}
	b := c.buf[:n]
	c.buf = c.buf[n:]
	return b
}

func (c *coder) text(v *string) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, uint64(len(*v)))
		c.buf = append(c.buf, *v...)
		return
	}
	*v = string(c.take())
}

func (c *coder) bytes(v *[]byte) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, uint64(len(*v)))
		c.buf = append(c.buf, *v...)
		return
	}
	*v = nil
	if b := c.take(); len(b) > 0 {
		*v = append(*v, b...)
	}
}

// list writes or reads the length of a list; every element is at least a byte.
func (c *coder) list(n int) int {
	u := uint64(n)
	c.uint(&u)
	if c.reading && u > uint64(len(c.buf)) {
		c.fail()
		return 0
	}
	return int(u)
}

func (c *coder) texts(v *[]string) {
	n := c.list(len(*v))
	if c.reading {
		*v = nil
		if n > 0 {
			*v = make([]string, n)
		}
	}
	for i := range n {
		c.text(&(*v)[i])
	}
}

func (c *coder) pieces(v *[]Piece) {
	n := c.list(len(*v))
	if c.reading {
		*v = nil // grown as they are read: a piece is larger in memory than on the wire
	}
	for i := 0; i < n && c.err == nil; i++ {
		if c.reading {
			*v = append(*v, Piece{})
		}
		(*v)[i].fields(c)
	}
}
