package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// However often and for however many folders somebody asks, a file server that is gone
// keeps a few threads only.
func TestDoctor_is_not_kept_by_a_file_server_that_is_gone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		var now, most atomic.Int64
		l := newLooks()
		l.at = func(dir string) seen {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			<-back
			return seen{}
		}
		var dirs []string
		for i := range 100 {
			dirs = append(dirs, fmt.Sprintf("/gone/%d", i), "/gone/0")
		}
		for range 50 {
			began := time.Now()
			found := l.all(dirs, 2*time.Second)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
			if len(found) != 100 {
				t.Errorf("%d folders have a verdict", len(found))
			}
			for dir, s := range found {
				if !errors.Is(s.err, errNoAnswer) && !errors.Is(s.err, errNotAsked) {
					t.Errorf("%s: %v", dir, s.err)
				}
			}
		}
		if most.Load() > looksAtATime {
			t.Errorf("%d looks at a time", most.Load())
		}
		close(back)
		synctest.Wait()
		for dir, s := range l.all(dirs, 2*time.Second) {
			if s.err != nil {
				t.Errorf("%s when all is well again: %v", dir, s.err)
			}
		}
	})
}

func TestDoctor_looks_at_those_that_answer_beside_one_that_does_not(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		l := newLooks()
		l.at = func(dir string) seen {
			if dir == "/gone" {
				<-back
			}
			return seen{kind: "nfs", network: dir == "/far"}
		}
		for range looksAtATime + 1 {
			found := l.all([]string{"/gone", "/near", "/far"}, time.Second)
			if !errors.Is(found["/gone"].err, errNoAnswer) || found["/near"].err != nil || !found["/far"].network {
				t.Errorf("%+v", found)
			}
		}
		close(back)
	})
}
