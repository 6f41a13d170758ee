package directory

import (
	"testing"
	"time"
)

// descriptors are those of all local file systems.
func (h *hub) descriptors() (*rawWatcher, *fsWatcher) {
	p := h.pool(&folder{})
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.raw, p.fs
}

// A file server that is gone may never answer who asks for a watch; that is no reason
// for the triggers on other file systems to wait.
func TestHub_a_dead_file_server_stops_only_its_own_triggers(t *testing.T) {
	dead, asked := make(chan struct{}), make(chan struct{})
	h := &hub{}
	nfs, here := t.TempDir(), t.TempDir()
	h.refuse = func(dir string) error {
		if dir == nfs {
			close(asked)
			<-dead
		}
		return nil
	}
	to := user{hints: &hints{wake: func() {}}}
	ended := make(chan *watched)
	go func() {
		w, err := h.pool(&folder{identity: identity{dev: 7}, network: "nfs"}).watch(nfs, to, wanted{raw: true, fs: true})
		if err != nil {
			t.Error(err)
		}
		ended <- w
	}()
	<-asked
	done := make(chan struct{})
	go func() {
		defer close(done)
		w, err := h.pool(&folder{identity: identity{dev: 8}}).watch(here, to, wanted{raw: true, fs: true})
		if err != nil {
			t.Error(err)
			return
		}
		w.close()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Error("a watch on a local file system waits for a file server")
	}
	close(dead)
	(<-ended).close()
	if n, open := h.watches.Load(), h.instances.Load(); n != 0 || open != 0 {
		t.Errorf("%d watches, %d descriptors are left", n, open)
	}
}
