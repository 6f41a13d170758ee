package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// diary is the file to which every attempt of a crash test appends a line when it
// begins and one when it ends: what really happened, whatever the daemon believes.
type diary struct{ path string }

// lattice has a chain and a fan-out, an electron that fails once, one that leaves a
// child, large outputs, and a result to check.
func (d diary) lattice(lost int) map[string]any {
	script := func(body string) map[string]any {
		return map[string]any{
			"bash": `echo "begin $LATTICED_DISPATCH_ID $LATTICED_ELECTRON $LATTICED_ATTEMPT $(date +%s%N)" >> "$DIARY"
` + body + `
echo "end $LATTICED_DISPATCH_ID $LATTICED_ELECTRON $LATTICED_ATTEMPT $(date +%s%N)" >> "$DIARY"
`,
			"env":     map[string]any{"DIARY": d.path},
			"retries": map[string]any{"lost": lost},
		}
	}
	electrons := map[string]any{}
	add := func(name, body string, wait ...string) map[string]any {
		e := script(body)
		if len(wait) > 0 {
			e["wait_for"] = wait
		}
		electrons[name] = e
		return e
	}
	add("first", "sleep 0.05; echo 20 > $LATTICED_RESULT")
	wide := add("wide", "sleep 0.2 & seq 20000 > big.txt; wait; echo 1 > $LATTICED_RESULT", "first")
	wide["outputs"] = map[string]any{"big": "big.txt"}
	add("loud", "seq 5000; echo 1 > $LATTICED_RESULT", "first")
	add("slow", "sleep 0.4; echo 1 > $LATTICED_RESULT", "first")
	again := add("again", fmt.Sprintf(`m="%s.$LATTICED_DISPATCH_ID"
if mkdir "$m" 2>/dev/null; then echo "end $LATTICED_DISPATCH_ID again $LATTICED_ATTEMPT $(date +%%s%%N)" >> "$DIARY"; exit 3; fi
echo 1 > $LATTICED_RESULT`, d.path), "first")
	again["retries"] = map[string]any{"max": 1, "backoff": "50ms", "lost": lost}
	last := add("last", "wc -c < in/wide/big > /dev/null; echo $((A + B + C + D)) > $LATTICED_RESULT")
	last["env"] = map[string]any{
		"DIARY": d.path, "A": "${{ electrons.wide.result }}", "B": "${{ electrons.loud.result }}",
		"C": "${{ electrons.slow.result }}", "D": "${{ electrons.again.result + electrons.first.result }}",
		"BIG": "${{ electrons.wide.files.big }}",
	}
	return map[string]any{
		"lattice": "crash", "electrons": electrons, "output": "${{ electrons.last.result }}",
	}
}

// line is one of the diary.
type line struct {
	begin    bool
	electron string // with its dispatch
	attempt  string
	at       int64
}

func (d diary) read(t *testing.T) []line {
	t.Helper()
	text, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	var ls []line
	for _, row := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		f := strings.Fields(row)
		if len(f) != 5 {
			t.Fatalf("the diary has a line %q", row)
		}
		at, err := strconv.ParseInt(f[4], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ls = append(ls, line{f[0] == "begin", f[1] + " " + f[2], f[3], at})
	}
	return ls
}

// check looks that no attempt began twice and no electron was two attempts at a time,
// and returns the attempts of each electron that began.
func (d diary) check(t *testing.T) map[string][]string {
	t.Helper()
	began := map[string]bool{}
	runs := map[string]string{} // the attempt an electron is in
	by := map[string][]string{}
	for _, l := range d.read(t) {
		if !l.begin {
			if runs[l.electron] == l.attempt {
				delete(runs, l.electron)
			}
			continue
		}
		if began[l.attempt] {
			t.Errorf("attempt %s of %s began twice", l.attempt, l.electron)
		}
		began[l.attempt] = true
		if other := runs[l.electron]; other != "" {
			t.Errorf("%s began attempt %s while %s went on", l.electron, l.attempt, other)
		}
		runs[l.electron] = l.attempt
		by[l.electron] = append(by[l.electron], l.attempt)
	}
	return by
}

// feed dispatches n lattices, one after the other, while the daemon lives and dies.
func feed(v *victim, n int, every time.Duration, lattice any) (ids func() []string) {
	var mu sync.Mutex
	var got []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			id := v.dispatch(fmt.Sprintf("key-%d", i), lattice)
			mu.Lock()
			got = append(got, id)
			mu.Unlock()
			time.Sleep(every)
		}
	})
	return func() []string {
		wg.Wait()
		return got
	}
}

// The daemon is killed fifty times at random moments while dispatches come and run:
// every one of them ends as if nothing had happened.
func TestCrash_of_the_daemon(t *testing.T) {
	v := newVictim(t)
	d := diary{filepath.Join(v.dir, "diary")}
	v.start()
	ids := feed(v, 36, 250*time.Millisecond, d.lattice(0))
	for range 50 {
		time.Sleep(rand.N(250 * time.Millisecond))
		v.kill()
		v.start()
	}
	keep := map[string]bool{}
	began := map[string]int{}
	for e, as := range d.checkAfter(t, v, ids()) {
		began[e] = len(as)
	}
	seen := map[string]bool{}
	for _, id := range ids() {
		if seen[id] {
			t.Errorf("two requests were answered with dispatch %s", id)
		}
		seen[id] = true
		got := v.ended(id)
		if got.Status != "completed" || string(got.Result) != "24" {
			t.Errorf("dispatch %d ended %s with %s, error %s", got.Number, got.Status, got.Result, got.Error)
		}
		for _, e := range got.Electrons {
			want := 1
			if e.Name == "again" {
				want = 2
			}
			if n := began[id+" "+e.Name]; n != want || len(e.Attempts) != want {
				t.Errorf("dispatch %d: %s began %d times in %d attempts, want %d", got.Number, e.Name, n, len(e.Attempts), want)
			}
			for _, a := range e.Attempts {
				if a.WorkDir != "" {
					keep[a.WorkDir] = true
				}
			}
		}
	}
	if n := v.count(); n != len(ids()) {
		t.Errorf("there are %d dispatches for %d requests", n, len(ids()))
	}
	v.stop()
	v.checkNothingIsOrphaned(keep)
}

// checkAfter waits for the end of all and reads the diary.
func (d diary) checkAfter(t *testing.T, v *victim, ids []string) map[string][]string {
	t.Helper()
	for _, id := range ids {
		v.ended(id)
	}
	return d.check(t)
}

// The runner is killed, and the daemon now and then: what was running is watched to its
// end by the next runner, then lost and run again; nothing runs twice at a time.
func TestCrash_of_the_runner(t *testing.T) {
	v := newVictim(t)
	d := diary{filepath.Join(v.dir, "diary")}
	v.start()
	ids := feed(v, 10, 250*time.Millisecond, d.lattice(50))
	for i := range 12 {
		time.Sleep(rand.N(300 * time.Millisecond))
		for _, p := range v.runners() {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
		if i%3 == 2 {
			v.kill()
			v.start()
		}
	}
	keep := map[string]bool{}
	lost := 0
	began := d.checkAfter(t, v, ids())
	for _, id := range ids() {
		got := v.ended(id)
		if got.Status != "completed" || string(got.Result) != "24" {
			t.Errorf("dispatch %d ended %s with %s, error %s", got.Number, got.Status, got.Result, got.Error)
		}
		for _, e := range got.Electrons {
			recorded := map[string]string{}
			for _, a := range e.Attempts {
				recorded[a.ID] = a.Status
				if a.Status == "lost" {
					lost++
				}
				if a.WorkDir != "" {
					keep[a.WorkDir] = true
				}
			}
			for _, a := range began[id+" "+e.Name] {
				if recorded[a] == "" {
					t.Errorf("dispatch %d: %s ran attempt %s, which nobody recorded", got.Number, e.Name, a)
				}
			}
			if e.Status != "completed" {
				t.Errorf("dispatch %d: %s is %s", got.Number, e.Name, e.Status)
			}
		}
	}
	if lost == 0 {
		t.Error("no attempt was lost: the runner was killed at the wrong moments")
	}
	v.stop()
	v.checkNothingIsOrphaned(keep)
}
