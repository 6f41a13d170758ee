package api

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// asked notes which operations the tests of this package have asked for.
type asked struct {
	mu  sync.Mutex
	ops map[string]bool
}

func (a *asked) note(op string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ops[op] = true
}

var coverage = &asked{ops: map[string]bool{}}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && everything() {
		code = coverage.check()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// everything tells whether no test was left out.
func everything() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return true
}

// check fails when a route has no test.
func (a *asked) check() int {
	var missed []string
	for name := range operations() {
		if !a.ops[name] {
			missed = append(missed, name)
		}
	}
	if len(missed) == 0 {
		return 0
	}
	slices.Sort(missed)
	fmt.Fprintln(os.Stderr, "no test asks for", missed)
	return 1
}
