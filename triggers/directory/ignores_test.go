package directory

import "testing"

func TestIgnores_by_the_rules_of_now(t *testing.T) {
	s := &source{}
	s.exclude = []string{"*_out*"}
	for rel, want := range map[string]bool{"scan.tif": false, "scan_out.tif": true, "a/scan_out_out.tif": true, "": false} {
		if got := s.Ignores(map[string]any{"rel": rel}); got != want {
			t.Errorf("%q: %v", rel, got)
		}
	}
}
