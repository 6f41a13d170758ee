package directory

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// BenchmarkClosed is the time from closing a file to its dispatch being durable.
func BenchmarkClosed(b *testing.B) {
	s, err := store.Open(b.Context(), b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	l, err := graph.Parse([]byte(showPath))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.InsertLattice(b.Context(), l, true, ""); err != nil {
		b.Fatal(err)
	}
	fired := make(chan struct{}, 1)
	m := triggers.NewManager(telling{s, fired}, triggers.Kinds{"directory": Kind(Options{})}, triggers.Options{Log: zerolog.Nop()})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	dir := b.TempDir()
	_, _, err = m.Add(ctx, []byte(`{"name":"t","kind":"directory","lattice":"show","overlap":"allow","dir_path":"`+dir+`","event_names":["closed"],"inputs":{"path":"${{ event.path }}"}}`), triggers.Principal{})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		f, err := os.Create(fmt.Sprintf("%s/%d", dir, i))
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
		<-fired
	}
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// telling is a ledger that tells of batches with a firing.
type telling struct {
	triggers.Ledger
	fired chan<- struct{}
}

func (l telling) Record(ctx context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) (triggers.Recorded, error) {
	rec, err := l.Ledger.Record(ctx, id, revision, b, ds)
	if len(rec.Dispatches) > 0 {
		l.fired <- struct{}{}
	}
	return rec, err
}
