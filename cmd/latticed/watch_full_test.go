package main

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/triggers/spool"
)

// resize gives a tmpfs another size.
func resize(t *testing.T, dir, size string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size="+size); err != nil {
		t.Fatal(err)
	}
}

// A full disk there lets a file wait, of which what has arrived is kept.
func TestWatch_upload_waits_for_room_on_the_disk_of_the_daemon(t *testing.T) {
	v := newVictim(t)
	dir := v.tmpfs("state", "12m")
	l := newLabOn(t, v)
	content := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // 32 MiB
	path := l.write("large", string(content))
	c := carry(t, "http://"+l.addr, l.token, l.in)
	c.spools(path)
	stop := c.runs()
	defer stop()
	eventually(t, "that shows", func() bool { return strings.Contains(c.spool.Health().Trouble, "507 disk_full") })
	if n := l.below("uploads"); n != 1 {
		t.Errorf("%d files are kept of it", n)
	}
	resize(t, dir, "200m")
	c.empty()
	l.check(made{"large": content})
}

// A full disk here lets what happens wait in the folder.
func TestWatch_waits_for_room_on_its_own_disk(t *testing.T) {
	l := newLab(t)
	dir := l.tmpfs("spool", "200k")
	a := l.agent()
	eventually(t, "it watches", func() bool {
		st, err := spool.Read(t.Context(), l.spool())
		return err == nil && st.Health.State == "active"
	})
	l.kill()
	files := made{}
	for i := range 300 {
		name := strings.Repeat("x", 100+i%100) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		files[name] = []byte(name)
		l.write(name, name)
	}
	eventually(t, "the log says so", func() bool { return l.logged("disk is full") || l.logged("no space left") })
	resize(t, dir, "20m")
	l.start()
	l.check(files)
	a.kill()
}
