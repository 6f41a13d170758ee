package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// asked notes which operations the tests of this package have asked for, and with
// which codes they were refused.
type asked struct {
	mu    sync.Mutex
	ops   map[string]bool
	codes map[string]bool // "404 not_found"
}

func (a *asked) note(op string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ops[op] = true
}

func (a *asked) refused(status int, body []byte) {
	var p Problem
	if status < 400 || json.Unmarshal(body, &p) != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.codes[fmt.Sprintf("%d %s", status, p.Code)] = true
}

var coverage = &asked{ops: map[string]bool{}, codes: map[string]bool{}}

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

// check fails when a route has no test, and when the codes that were answered are not
// those that docs/http.md lists.
func (a *asked) check() int {
	var missed []string
	for name := range operations() {
		if !a.ops[name] {
			missed = append(missed, "no test asks for "+name)
		}
	}
	page, err := os.ReadFile("../docs/http.md")
	if err != nil {
		missed = append(missed, err.Error())
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| ([0-9]{3}) \\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		listed[m[1]+" "+m[2]] = true
	}
	for code := range listed {
		if !a.codes[code] {
			missed = append(missed, "no test is answered with "+code)
		}
	}
	for code := range a.codes {
		if !listed[code] {
			missed = append(missed, "docs/http.md does not list "+code)
		}
	}
	if len(missed) == 0 {
		return 0
	}
	slices.Sort(missed)
	fmt.Fprintln(os.Stderr, strings.Join(missed, "\n"))
	return 1
}
