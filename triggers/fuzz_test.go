package triggers_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/directory"
	"github.com/latticed/latticed/triggers/timer"
	"github.com/latticed/latticed/triggers/triggertest"
)

// FuzzAdd looks for specs that are neither registered nor refused in words.
func FuzzAdd(f *testing.F) {
	raw, err := os.ReadFile("testdata/wrong.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range strings.Split(string(raw), "\n\n") {
		in, _, _ := strings.Cut(c, "\n---\n")
		f.Add([]byte(in))
	}
	ledger := triggertest.NewLedger()
	ledger.AddLattice(parse(f, echo))
	m := triggers.NewManager(ledger, triggers.Kinds{"directory": directory.Kind(directory.Options{}), "time": timer.Kind}, triggers.Options{Log: zerolog.Nop()})
	stop := runManager(f, m)
	f.Cleanup(stop)
	f.Fuzz(func(t *testing.T, spec []byte) {
		tr, _, err := m.Add(t.Context(), spec, triggers.Principal{})
		var invalid *graph.Invalid
		switch {
		case err == nil:
			if err := m.Remove(t.Context(), tr.ID); err != nil {
				t.Error(err)
			}
		case !errors.As(err, &invalid) || err.Error() == "":
			t.Errorf("%q: %v", spec, err)
		}
	})
}
