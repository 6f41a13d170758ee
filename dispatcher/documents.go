package dispatcher

import (
	"context"
	"crypto/sha256"
	"sync"

	"github.com/latticed/latticed/graph"
)

// documents remembers the lattices that came inline lately, by the bytes they came
// as: whoever sends the same file again and again pays for parsing once.
type documents struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*graph.Lattice
	order [][sha256.Size]byte // oldest first
	bytes int                 // of their documents
}

// How many are remembered: a compiled lattice takes several times its document.
const (
	maxDocuments     = 128
	maxDocumentBytes = 16 << 20
)

func (d *documents) get(key [sha256.Size]byte) *graph.Lattice {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[key]
}

func (d *documents) put(key [sha256.Size]byte, l *graph.Lattice) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[[sha256.Size]byte]*graph.Lattice{}
	}
	if d.known[key] != nil {
		return
	}
	d.known[key] = l
	d.order = append(d.order, key)
	d.bytes += len(l.Document)
	for len(d.order) > 1 && (len(d.order) > maxDocuments || d.bytes > maxDocumentBytes) {
		d.bytes -= len(d.known[d.order[0]].Document)
		delete(d.known, d.order[0])
		d.order = d.order[1:]
	}
}

// lattice returns what r wants to run. An inline one is stored before its first use;
// fresh says that this was now.
func (d *Dispatcher) lattice(ctx context.Context, r Request) (l *graph.Lattice, fresh bool, err error) {
	switch {
	case r.Document != nil && r.Lattice != "":
		return nil, false, invalid("lattice", graph.CodeBadValue, "it is given twice, as a document and by name")
	case r.Document == nil && r.Lattice == "":
		return nil, false, invalid("lattice", graph.CodeMissing, "say which lattice to run: a document, a name or an id")
	}
	if len(r.Replace) > 0 {
		return d.replaced(ctx, r)
	}
	if r.Document == nil {
		l, err = d.store.Lattice(ctx, r.Lattice)
		return l, false, err
	}
	key := sha256.Sum256(r.Document)
	if l := d.docs.get(key); l != nil {
		return l, false, nil
	}
	if l, err = graph.Parse(r.Document); err != nil {
		return nil, false, err
	}
	if _, err := d.store.InsertLattice(ctx, l, false, r.Owner); err != nil {
		return nil, false, err
	}
	d.docs.put(key, l)
	return l, true, nil
}

// replaced stores the lattice that comes of replacing electrons.
func (d *Dispatcher) replaced(ctx context.Context, r Request) (l *graph.Lattice, fresh bool, err error) {
	if l, err = d.draft(ctx, r); err != nil {
		return nil, false, err
	}
	_, err = d.store.InsertLattice(ctx, l, false, r.Owner)
	return l, true, err
}

// draft returns the lattice that r wants to run, and stores nothing.
func (d *Dispatcher) draft(ctx context.Context, r Request) (l *graph.Lattice, err error) {
	if r.Document != nil {
		l, err = graph.Parse(r.Document)
	} else {
		l, err = d.store.Lattice(ctx, r.Lattice)
	}
	if err != nil || len(r.Replace) == 0 {
		return l, err
	}
	return l.Replace(r.Replace)
}
