package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/spool"
)

// carrying is a carrier with its spool, in this process.
type carrying struct {
	*carrier
	t     *testing.T
	spool *spool.Spool
}

// carry makes a carrier that delivers to a server, from a folder.
func carry(t *testing.T, server, token, root string) *carrying {
	t.Helper()
	s, err := spool.Open(t.Context(), filepath.Join(t.TempDir(), "spool"), spool.Options{Owner: "files"})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{options: client.Options{Server: server, Sign: true}, token: func() (string, error) { return firstLine(token) }}
	if token == "" {
		d.token = func() (string, error) { return "", nil }
	}
	c := newCarrier(s, d, "files", root, zerolog.Nop())
	c.upload, c.longest, c.steady = true, 5*time.Millisecond, 0
	t.Cleanup(func() {
		d.close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &carrying{c, t, s}
}

// spools puts an event about each file into the spool.
func (c *carrying) spools(paths ...string) {
	c.t.Helper()
	var b triggers.Batch
	for _, p := range paths {
		b.Events = append(b.Events, triggers.Event{Key: p + "#ready@1", Kind: "ready", Payload: fmt.Appendf(nil, `{"path":%q,"rel":%q,"kind":"ready","size":1}`, p, filepath.Base(p))})
	}
	if err := c.spool.Emit(c.t.Context(), b); err != nil {
		c.t.Fatal(err)
	}
}

// runs runs the carrier until it is told to stop.
func (c *carrying) runs() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			c.t.Errorf("it ended with %v", err)
		}
	})
}

func (c *carrying) empty() {
	c.t.Helper()
	eventually(c.t, "all is delivered", func() bool {
		st, err := c.spool.Status(c.t.Context())
		return err == nil && st.Waiting == 0
	})
}

// breaking is a TCP proxy that breaks each connection after some bytes, and counts those
// that came from the client.
type breaking struct {
	net.Listener
	to    string
	most  int // bytes after which a connection breaks at the latest; 0: never
	up    atomic.Int64
	broke atomic.Int64
	work  sync.WaitGroup
}

func newBreaking(t *testing.T, to string, most int) *breaking {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaking{Listener: ln, to: to, most: most}
	b.work.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.work.Go(func() { b.pass(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		b.work.Wait()
	})
	return b
}

func (b *breaking) pass(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", b.to)
	if err != nil {
		return
	}
	defer s.Close()
	b.work.Go(func() {
		_, _ = io.Copy(c, s)
		c.Close()
	})
	left := int64(1 << 62)
	if b.most > 0 {
		left = int64(rand.N(b.most))
	}
	if _, err := io.CopyN(counting{s, &b.up}, c, left); err == nil {
		b.broke.Add(1)
	}
}

// counting counts what is written.
type counting struct {
	io.Writer
	n *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// What was sent before a connection broke is not sent again: only what was on its way.
func TestWatch_upload_goes_on_where_it_broke(t *testing.T) {
	const size = 48 << 20
	l := newLab(t)
	p := newBreaking(t, l.addr, 4<<20)
	path := filepath.Join(l.in, "large")
	content := make([]byte, size)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(content); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	c := carry(t, "http://"+p.Addr().String(), l.token, l.in)
	c.spools(path)
	stop := c.runs()
	c.empty()
	stop()
	l.check(made{"large": content})
	again := p.up.Load() - size
	t.Logf("%d bytes in %d connections that broke, %d more than the file", size, p.broke.Load(), again)
	if p.broke.Load() < 10 {
		t.Errorf("only %d connections broke", p.broke.Load())
	}
	// On the way are the buffers of the proxy and of the kernel, and heads of requests.
	if most := p.broke.Load() * pieceSize; again > most {
		t.Errorf("%d bytes were sent again in %d breaks", again, p.broke.Load())
	}
}

// An answer that is lost leaves open whether the event was stored. The file isn't sent
// again to find that out.
func TestWatch_upload_of_an_event_whose_answer_was_lost_sends_no_byte_twice(t *testing.T) {
	const size = 1 << 20
	l := newLab(t)
	var bytes, deliveries atomic.Int64
	to := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: l.addr}) }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/v1/assets":
			bytes.Add(r.ContentLength)
		case r.Method == http.MethodPost && deliveries.Add(1) == 2: // the first one asks; this one has the file
			to.ServeHTTP(httptest.NewRecorder(), r) // and is stored
			panic(http.ErrAbortHandler)
		}
		to.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	path := l.write("one", strings.Repeat("x", size))
	c := carry(t, s.URL, l.token, l.in)
	c.spools(path)
	stop := c.runs()
	c.empty()
	stop()
	if bytes.Load() != size || deliveries.Load() < 3 {
		t.Errorf("%d bytes of %d were sent in %d deliveries", bytes.Load(), size, deliveries.Load())
	}
	c = carry(t, s.URL, l.token, l.in) // another process, which doesn't know that either
	c.spools(path)
	stop = c.runs()
	c.empty()
	stop()
	if bytes.Load() != size {
		t.Errorf("after a new start: %d bytes of %d", bytes.Load(), size)
	}
	l.check(made{"one": []byte(strings.Repeat("x", size))})
}

// between stands before the daemon and may do something when a piece of a file comes.
func (l *lab) between(piece func(n int)) *httptest.Server {
	var n atomic.Int64
	daemon := &url.URL{Scheme: "http", Host: l.addr}
	to := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(daemon) }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/v1/assets" {
			piece(int(n.Add(1)))
		}
		to.ServeHTTP(w, r)
	}))
	l.t.Cleanup(s.Close)
	return s
}

func (l *lab) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.in, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// bodies are what was delivered, in order.
func (l *lab) bodies() (all []map[string]any) {
	type one struct {
		Payload struct{ Body map[string]any }
	}
	for _, e := range everything[one](l.victim, "/triggers/files/events?") {
		all = append(all, e.Payload.Body)
	}
	slices.Reverse(all)
	return all
}

func TestWatch_a_file_that_changes_while_it_is_sent(t *testing.T) {
	t.Run("is sent again", func(t *testing.T) {
		l := newLab(t)
		path := l.write("a", "one")
		s := l.between(func(n int) {
			if n == 1 {
				l.write("a", "two, which is longer")
			}
		})
		c := carry(t, s.URL, l.token, l.in)
		c.spools(path)
		stop := c.runs()
		c.empty()
		stop()
		l.check(made{"a": []byte("two, which is longer")})
		if b := l.bodies(); len(b) != 1 || b[0]["upload"] != "done" || b[0]["size"] != 20.0 {
			t.Errorf("%v", b)
		}
	})
	t.Run("and never stands still, is told without its bytes, and holds up nobody", func(t *testing.T) {
		l := newLab(t)
		path := l.write("log", "0")
		s := l.between(func(n int) { l.write("log", strings.Repeat("x", n)) })
		c := carry(t, s.URL, l.token, l.in)
		c.spools(path)
		stop := c.runs()
		c.empty()
		stop()
		if b := l.bodies(); len(b) != 1 || b[0]["upload"] != "changing" || b[0]["sha256"] != nil || b[0]["path"] != path {
			t.Errorf("%v", b)
		}
	})
}

func TestWatch_a_file_that_can_not_be_sent_is_told_without_it(t *testing.T) {
	l := newLab(t)
	folder := filepath.Join(l.in, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(l.in, "link")
	if err := os.Symlink(l.write("real", "x"), link); err != nil {
		t.Fatal(err)
	}
	c := carry(t, "http://"+l.addr, l.token, l.in)
	c.spool.Trouble("")
	c.spools(filepath.Join(l.in, "removed"), folder, link, filepath.Join(l.in, "real"))
	stop := c.runs()
	defer stop()
	eventually(t, "it waits for a folder that may only be away", func() bool { return c.spool.Health().Trouble != "" })
	if b := l.bodies(); len(b) > 0 {
		t.Fatalf("nobody knows whether the folder is there, and it delivers %v", b)
	}
	watch := l.source(c.spool)
	defer watch()
	c.empty()
	stop()
	var got []any
	for _, b := range l.bodies() {
		got = append(got, b["upload"])
	}
	if !slices.Equal(got, []any{"gone", "gone", "gone", "done"}) {
		t.Errorf("%v", got)
	}
}

// source watches the folder, for the spool to know that it is there.
func (l *lab) source(s *spool.Spool) (stop func()) {
	cmd := newWatch(&cli{})
	if err := cmd.Flags().Set("settle", "100ms"); err != nil {
		l.t.Fatal(err)
	}
	made, err := (&watchFlags{}).source(cmd, l.in)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx, made.Source, nil) }()
	return func() {
		cancel()
		<-done
	}
}

func TestWatch_names_that_are_no_text_arrive(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"a\nb", "M\xe4rz \xff", "日本", "-rf", "a%20b", "'\"$(x)`"} {
		l.write(name, name)
	}
	if code := run(t.Context(), l.words("--once"), nil, l.log, l.log); code != 0 {
		t.Fatalf("exit %d", code)
	}
	for _, name := range []string{"a\nb", "M%E4rz %FF", "日本", "-rf", "a%20b", "'\"$(x)`"} {
		if _, err := os.Stat(filepath.Join(l.state(), "incoming", "files", name)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if n := len(l.bodies()); n != 6 {
		t.Errorf("%d events", n)
	}
}
