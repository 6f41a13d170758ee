package directory

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// Pain point 3: a folder with ten thousand files is moved in, and then within the tree,
// while nobody reads the queue. How many hints that costs does not matter.
func TestStorm_a_big_folder_that_is_moved(t *testing.T) {
	const n = 10_000
	w := newWorld(t)
	outside := w.dir + ".outside"
	w.mkdir(outside)
	for i := range n {
		w.must(os.WriteFile(fmt.Sprintf("%s/%05d", outside, i), nil, 0o600))
	}
	l := w.lone(`"recursive":true,"event_names":["created","moved","deleted","closed"],"settle":"0s"`)
	defer l.close()
	l.run()
	w.must(os.Rename(outside, w.path("in")))
	l.finish()
	if c := l.count(); c["created"] != n || c["closed"] != n {
		t.Errorf("%v", c)
	}
	began := time.Now()
	w.rename("in", "out")
	l.finish()
	if c := l.count(); c["moved"] != n || c["created"] != n || c["closed"] != n || c["deleted"] != 0 {
		t.Errorf("%v", c)
	}
	t.Logf("moved within the tree: %s", time.Since(began))
	w.must(os.RemoveAll(w.path("out")))
	l.finish()
	if c := l.count(); c["deleted"] != n || c["moved"] != n {
		t.Errorf("%v", c)
	}
	if len(l.entities) != 0 || len(l.watch().inodes) != 0 {
		t.Errorf("%d entities, %d inodes are kept", len(l.entities), len(l.watch().inodes))
	}
}

// count counts events by kind.
func (l *lone) count() map[string]int {
	c := map[string]int{}
	for _, e := range l.events {
		c[e.Kind]++
	}
	return c
}

// Pain points 1 and 2: both queues of the kernel overflow while a tree is written to.
func TestStorm_overflow_in_a_tree(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.mkdir(w.path(fmt.Sprint(i)))
	}
	l := w.lone(`"recursive":true,"event_names":["created","closed","deleted"],"settle":"100ms"`)
	defer l.close()
	l.run()
	raw, fs := w.hub.descriptors()
	raw.mu.Lock() // as long as the readers wait, the queues fill up
	fs.mu.Lock()
	const n = 17_000
	for i := range n {
		w.write(fmt.Sprintf("%d/%d", i%10, i), "x")
	}
	for i := range 1000 {
		w.must(os.Remove(w.path(fmt.Sprintf("%d/%d", i%10, i))))
	}
	w.put("new/deep/last", "x")
	raw.mu.Unlock()
	fs.mu.Unlock()
	l.finish()
	if c := l.count(); c["closed"]-c["deleted"] != n-1000+1 || c["created"] != c["closed"] {
		t.Errorf("%v", c)
	}
	w.put("new/deep/after", "x")
	eventually(w, "a file after the overflow", func() bool {
		l.run()
		return strings.Contains(l.told(), "closed "+w.path("new/deep/after"))
	}, true)
	if l.state != triggers.Active {
		t.Errorf("%s: %s", l.state, l.reason)
	}
}

// Pain point 14: nothing has to be moved away; what was handled is not reported again,
// however often it is looked at.
func TestStorm_of_looks_reports_nothing_twice(t *testing.T) {
	w := newWorld(t)
	w.put("a/1.dat", "1")
	l := w.lone(`"recursive":true,"existing":"fire","event_names":["ready","created","closed","modified"],"settle":"10ms"`)
	for range 5 {
		l.run()
		l.finish()
		l.close() // and starts again
	}
	if got := len(l.events); got != 3 {
		t.Errorf("%d events: %s", got, l.told())
	}
	defer l.close()
	l.run()
	for range 20 {
		l.watch().hints.lose(true)
		l.finish()
	}
	if got := len(l.events); got != 3 {
		t.Errorf("%d events: %s", got, l.told())
	}
}

// Pain point 4: on a network file system it polls by itself, waits longer, and says so.
func TestNetwork_file_systems_are_polled(t *testing.T) {
	w := newWorld(t)
	l := w.lone(`"recursive":true`)
	defer l.close()
	l.run()
	x := l.watch()
	if x.polls() || x.rules.settle != settleLocal || l.state != triggers.Active || l.reason != "" {
		t.Errorf("local: %v %s %s %q", x.polls(), x.rules.settle, l.state, l.reason)
	}
	x.remote("nfs") // as when a hint leads to a folder that is mounted
	x.tellTurn()
	if wait := x.nextLook.Sub(x.lastLook); wait > pollEvery {
		t.Errorf("it looks again %s after the last time", wait)
	}
	if !x.polls() || x.rules.settle != settleNetwork || !x.rules.network || !strings.Contains(l.reason, "looks every 5s: nfs") {
		t.Errorf("network: %v %s %q", x.polls(), x.rules.settle, l.reason)
	}
}
