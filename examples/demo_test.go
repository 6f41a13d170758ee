package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestDemo_shows_three_redispatches_with_different_inputs_and_stops_clean(t *testing.T) {
	t.Parallel()
	temp, err := os.MkdirTemp("/tmp", "demo") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	cmd := exec.CommandContext(t.Context(), "../scripts/demo.sh")
	cmd.Env = append(os.Environ(), "BIN="+filepath.Dir(build(t)), "TMPDIR="+temp)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The curves are 2 + 3x - x²/2, -1 + x/4 and 10 - 4x + x², with noise.
	for _, row := range []string{
		`(?m)^[234]  +1  +completed +parabola\.csv +(1\.9|2\.0)\d* +(2\.9|3\.0)\d* +-0\.(49|50)\d* `,
		`(?m)^[234]  +1  +completed +line\.csv +-(0\.9|1\.0)\d* +0\.2\d* +-?0\.00\d* `,
		`(?m)^[234]  +1  +completed +dip\.csv +(9\.9|10\.0)\d* +-(3\.9|4\.0)\d* +(0\.99|1\.00)\d* `,
		`Half-way there are \d{3,4} bytes; so far dispatched by the trigger: 0 `,
		`the daemon stopped cleanly`,
	} {
		if !regexp.MustCompile(row).Match(out) {
			t.Errorf("nothing matches %s in\n%s", row, out)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v behind (%v)", left, err)
	}
}
