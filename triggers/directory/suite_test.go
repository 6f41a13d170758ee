package directory

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/latticed/latticed/triggers/triggertest"
)

func TestSuite(t *testing.T) {
	for name, s := range map[string]struct {
		kind   string
		fields map[string]any
		path   string // of the file of a happening
	}{
		"closed":  {"closed", nil, "%d"},
		"ready":   {"ready", nil, "%d"},
		"created": {"created", nil, "%d"},
		"polled":  {"ready", map[string]any{"mode": "both"}, "%d"},
		"tree":    {"ready", map[string]any{"recursive": true}, "run/%[1]d/data/%[1]d"},
	} {
		t.Run(name, func(t *testing.T) {
			triggertest.Suite{
				Kind: Kind(Options{}),
				Fields: func(t *testing.T) map[string]any {
					fields := map[string]any{"dir_path": t.TempDir(), "event_names": s.kind, "settle": "20ms"}
					for k, v := range s.fields {
						fields[k] = v
					}
					return fields
				},
				Happen: func(t *testing.T, fields map[string]any, n int) {
					file := filepath.Join(fields["dir_path"].(string), fmt.Sprintf(s.path, n))
					if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
						t.Fatal(err)
					}
				},
			}.Run(t)
		})
	}
}
