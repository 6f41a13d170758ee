package directory

import (
	"fmt"
	"os"
	"testing"

	"github.com/latticed/latticed/triggers/triggertest"
)

func TestSuite(t *testing.T) {
	for _, names := range []string{"closed", "ready", "created"} {
		t.Run(names, func(t *testing.T) {
			triggertest.Suite{
				Kind: Kind(Options{}),
				Fields: func(t *testing.T) map[string]any {
					return map[string]any{"dir_path": t.TempDir(), "event_names": names, "settle": "20ms"}
				},
				Happen: func(t *testing.T, fields map[string]any, n int) {
					if err := os.WriteFile(fmt.Sprintf("%s/%d", fields["dir_path"], n), []byte("x"), 0o600); err != nil {
						t.Fatal(err)
					}
				},
			}.Run(t)
		})
	}
}
