package store

import "modernc.org/libc"

// The allocator below SQLite gives a page of 64 KiB back to the system as soon as its
// last block is freed, and asks for it again at the next block of that size: two
// system calls, several times per statement, more than half of the cost of an INSERT.
// pin keeps one block in each of a few pages of every size, so that the pages stay.
type pin struct {
	tls    *libc.TLS
	blocks []uintptr
}

const (
	pinPage   = 1 << 16 // of the allocator
	pinHeader = 32      // of each page
	pinMin    = 4       // log₂ of the smallest block
	pinMax    = 14      // and of the largest that shares a page
	pinLarge  = 11      // from here on a page holds so few blocks that several are kept
	pinPages  = 6
)

func newPin() *pin {
	p := &pin{tls: libc.NewTLS()}
	var spare []uintptr
	for log := pinMin; log <= pinMax; log++ {
		pages := 1
		if log >= pinLarge {
			pages = pinPages
		}
		seen := map[uintptr]bool{}
		for range pages * ((pinPage - pinHeader) >> log) {
			b := libc.Xmalloc(p.tls, libc.Tsize_t(1)<<log)
			if b == 0 {
				break // no memory to spare: slower, nothing else
			}
			if page := b &^ (pinPage - 1); !seen[page] {
				seen[page] = true
				p.blocks = append(p.blocks, b)
			} else {
				spare = append(spare, b)
			}
		}
	}
	for _, b := range spare {
		libc.Xfree(p.tls, b)
	}
	return p
}

func (p *pin) close() {
	for _, b := range p.blocks {
		libc.Xfree(p.tls, b)
	}
	p.blocks = nil
	p.tls.Close()
}
