package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/store"
)

// While 64 write, upload, sweep and prune, the daemon is killed again and again in the
// middle of backups: what has its name is whole, what isn't leaves nothing behind and says
// so, and the last one opens with all that was acknowledged before it.
func TestCrash_of_the_daemon_in_the_middle_of_backups(t *testing.T) {
	v := newVictim(t)
	v.start()
	v.storeLattice("one", map[string]any{"n": map[string]any{"type": "integer", "default": 0}}, map[string]any{"run": []string{"true"}})
	stop := make(chan struct{})
	var busy sync.WaitGroup
	until := func(each func(n int)) {
		busy.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					each(n)
				}
			}
		})
	}
	for w := range 64 { // no processes: the store is what is at work
		until(func(n int) {
			v.insist("/dispatches", fmt.Sprintf("%d-%d", w, n), map[string]any{"lattice": "one", "disable_run": true}, 201)
		})
	}
	until(func(n int) {
		v.insist("/sweeps", fmt.Sprint("sweep", n), map[string]any{"lattice": "one", "grid": map[string]any{"n": []int{1, 2, 3}}}, 201)
		time.Sleep(50 * time.Millisecond)
	})
	until(func(n int) { v.upload(bytes.Repeat([]byte(fmt.Sprintln("upload", n)), 20_000)) })
	until(func(int) {
		v.insist("/prune", "", map[string]any{"count": 10}, 200)
		time.Sleep(20 * time.Millisecond)
	})

	whole, broken := 0, 0
	for i := range 8 {
		out := filepath.Join(v.dir, fmt.Sprint("backup", i))
		cmd := exec.Command(v.binary, "backup", "--out", out, "--server", filepath.Join(v.dir, "s"))
		said := make(chan error, 1)
		go func() {
			text, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, text)
			}
			said <- err
		}()
		time.Sleep(rand.N(900 * time.Millisecond))
		v.kill()
		err := <-said
		_, there := os.Stat(out)
		switch {
		case err == nil && there == nil:
			whole++
			if _, err := store.Verify(t.Context(), out); err != nil {
				t.Error(err)
			}
		case err != nil && there != nil:
			broken++
			if !strings.Contains(err.Error(), "broke off") && !strings.Contains(err.Error(), "daemon") {
				t.Errorf("it says %v", err)
			}
		default:
			t.Errorf("it says %v, and %s: %v", err, out, there)
		}
		if left, _ := filepath.Glob(filepath.Join(v.dir, "*"+partialSuffix)); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
		v.start()
		if left, _ := filepath.Glob(filepath.Join(v.state(), "backup-*")); len(left) > 0 {
			t.Errorf("the daemon has started over %v", left)
		}
	}
	t.Logf("%d backups were whole before the daemon died, %d broke off", whole, broken)
	if broken == 0 {
		t.Error("it was killed at the wrong moments")
	}
	acknowledged := v.dispatch("the last", "one")
	out := filepath.Join(v.dir, "last")
	v.says("backup", "--out", out)
	close(stop)
	busy.Wait()
	to := filepath.Join(v.dir, "new")
	if _, err := store.Restore(t.Context(), out, to); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), to, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Dispatch(t.Context(), acknowledged); err != nil {
		t.Errorf("what was acknowledged before: %v", err)
	}
	v.stop()
}

// upload sends bytes as clients do.
func (v *victim) upload(content []byte) {
	resp, err := v.client.Post("http://latticed/v1/assets", "application/octet-stream", bytes.NewReader(content))
	if err == nil { // else the daemon is away
		resp.Body.Close()
	}
}

func TestBackup_tells_of_what_others_have_left(t *testing.T) {
	v := newVictim(t)
	v.start()
	left, held, other := filepath.Join(v.dir, "monday.partial"), filepath.Join(v.dir, "tuesday.partial"), filepath.Join(v.dir, "thesis.partial")
	for dir, names := range map[string][]string{left: {"latticed.db"}, held: {"latticed.db"}, other: {"latticed.db", "thesis.tex"}} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			write(t, filepath.Join(dir, name), "")
		}
	}
	hold, err := holdPartial(held)
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	backup := func(out string) (int, string) {
		var said bytes.Buffer
		code := run(t.Context(), []string{"backup", "--out", filepath.Join(v.dir, out), "--server", filepath.Join(v.dir, "s")}, nil, &bytes.Buffer{}, &said)
		return code, said.String()
	}
	code, said := backup("wednesday")
	if code != exitOK || !strings.Contains(said, left+" is left") || strings.Contains(said, held) || strings.Contains(said, other) {
		t.Errorf("status %d: %s", code, said)
	}
	if code, said := backup("tuesday"); code != exitUsage || !strings.Contains(said, "another backup is being made") {
		t.Errorf("status %d: %s", code, said)
	}
	if code, said := backup("monday"); code != exitOK || strings.Contains(said, "left") {
		t.Errorf("status %d: %s", code, said)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Error("it is left still")
	}
	v.stop()
}
