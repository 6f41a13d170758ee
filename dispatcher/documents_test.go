package dispatcher

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/latticed/latticed/graph"
)

func TestDocuments_are_forgotten_oldest_first_by_number_and_by_size(t *testing.T) {
	key := func(i int) [sha256.Size]byte { return sha256.Sum256(fmt.Append(nil, i)) }
	var many, big documents
	for i := range maxDocuments + 5 {
		many.put(key(i), &graph.Lattice{})
		many.put(key(i), &graph.Lattice{}) // known
	}
	if len(many.known) != maxDocuments || many.get(key(4)) != nil || many.get(key(5)) == nil {
		t.Errorf("%d are kept", len(many.known))
	}
	half := &graph.Lattice{Document: []byte(strings.Repeat(" ", maxDocumentBytes/2))}
	for i := range 5 {
		big.put(key(i), half)
	}
	if len(big.known) != 2 || big.bytes != maxDocumentBytes || big.get(key(4)) == nil {
		t.Errorf("%d with %d bytes are kept", len(big.known), big.bytes)
	}
	big.put(key(9), &graph.Lattice{Document: make([]byte, 2*maxDocumentBytes)})
	if len(big.known) != 1 || big.get(key(9)) == nil {
		t.Errorf("%d are kept beside one that is too large", len(big.known))
	}
}
