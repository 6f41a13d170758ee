package directory

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Pain point 17: when the kernel gives no more watches, the sysctl is named with the
// numbers, the rest is polled, and nothing is lost. The limits are lowered for one
// process only, in a user namespace of its own.
func TestLimits(t *testing.T) {
	for limit, inside := range map[string]string{
		"max_inotify_watches 8":   "TestLimits_inside_few_watches",
		"max_inotify_instances 1": "TestLimits_inside_one_instance",
	} {
		t.Run(inside, func(t *testing.T) {
			name, value, _ := strings.Cut(limit, " ")
			script := fmt.Sprintf("echo %s > /proc/sys/user/%s && exec %q -test.v -test.run '^%s$'", value, name, os.Args[0], inside)
			cmd := exec.Command("unshare", "-Ur", "sh", "-c", script)
			cmd.Env = append(os.Environ(), "LATTICED_TEST_LIMITS=1")
			out, err := cmd.CombinedOutput()
			if err != nil && !strings.Contains(string(out), "--- FAIL") {
				if os.Getenv("CI") != "" {
					t.Fatalf("no user namespace: %v\n%s", err, out)
				}
				t.Skipf("no user namespace: %v\n%s", err, out)
			}
			if err != nil || !strings.Contains(string(out), "--- PASS: "+inside) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func insideOnly(t *testing.T) {
	t.Helper()
	if os.Getenv("LATTICED_TEST_LIMITS") == "" {
		t.Skip("run by TestLimits")
	}
}

func TestLimits_inside_few_watches(t *testing.T) {
	insideOnly(t)
	const folders = 20
	w := newWorld(t)
	for i := range folders {
		w.mkdir(w.path(fmt.Sprintf("run-%02d/lane", i)))
	}
	w.hub.interval = 100 * time.Millisecond
	w.add(`,"recursive":true,"event_names":["closed","created"],"settle":"100ms"`)
	w.trigger(triggers.Degraded, "of 41 folders every 5s instead of being told: the limit of inotify is reached (watches used / limit: ")
	w.trigger(triggers.Degraded, " / 8); raise it with: sysctl fs.inotify.max_user_watches=524288")
	for i := range folders {
		w.write(fmt.Sprintf("run-%02d/lane/1.dat", i), "1")
		w.put(fmt.Sprintf("run-%02d/new/2.dat", i), "1")
	}
	eventually(w, "events", func() int { return len(w.events()) }, 4*folders)
	// Watches that are given back are taken by the others, until all are told again.
	for i := 1; i < folders; i++ {
		w.must(os.RemoveAll(w.path(fmt.Sprintf("run-%02d", i))))
	}
	w.must(os.RemoveAll(w.path("run-00/lane")))
	w.trigger(triggers.Active, "")
}

func TestLimits_inside_one_instance(t *testing.T) {
	insideOnly(t)
	w := newWorld(t)
	w.hub.interval = 100 * time.Millisecond
	w.add(`,"event_names":["closed","created"],"settle":"100ms"`)
	w.trigger(triggers.Degraded, "raise it with: sysctl fs.inotify.max_user_instances=1024")
	w.write("a.dat", "1")
	w.expect("created a.dat, closed a.dat")
}
