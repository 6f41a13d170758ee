package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/store"
)

// dial opens a connection to the door, as rude clients do.
func (h *house) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", h.door.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// heard is what the daemon answers on a raw connection until it closes it.
func heard(t *testing.T, c net.Conn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(hung)); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("it is still open after %s: %q", hung, said)
	}
	return string(said)
}

func TestConnections_are_limited(t *testing.T) {
	t.Run("thousands_that_say_nothing_keep_nobody_out_for_long", func(t *testing.T) {
		h := newHouseWith(t, DoorOptions{}, func(o *Options) { o.MaxConnections = 64 })
		text, _ := h.token(store.Token{Role: RoleViewer})
		var silent []net.Conn
		for range 2000 {
			c, err := net.Dial("tcp", h.door.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			silent = append(silent, c)
		}
		soon(t, "refused", func() bool { open, refused := h.server.crowd.counts(); return open == 32 && refused == 2000-32 })
		if a := h.do("GET /v1/whoami").want(200); a.text("via") != "unix" { // the socket is not concerned
			t.Errorf("%s", a.body)
		}
		for _, c := range silent {
			_ = c.Close()
		}
		soon(t, "let in", func() bool {
			resp, err := h.as(text).client.Get("http://latticed/v1/whoami")
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		})
		soon(t, "empty but for one", func() bool { open, _ := h.server.crowd.counts(); return open <= 1 })
		metrics := string(h.do("GET /metrics").want(200).body)
		if !strings.Contains(metrics, "latticed_http_connections_refused_total 19") || !strings.Contains(metrics, "latticed_http_connections ") {
			t.Error("they are not counted")
		}
	})
	t.Run("idle_ones_make_room", func(t *testing.T) {
		h := newHouseWith(t, DoorOptions{}, func(o *Options) { o.MaxConnections = 8 })
		text, _ := h.token(store.Token{Role: RoleViewer})
		for range 40 { // each has a connection of its own, left open
			h.as(text).do("GET /v1/whoami").want(200)
		}
		if open, refused := h.server.crowd.counts(); open > 4 || refused != 0 {
			t.Errorf("%v open, %v refused", open, refused)
		}
	})
	t.Run("those_at_work_do_not", func(t *testing.T) {
		h := newHouseWith(t, DoorOptions{}, func(o *Options) { o.MaxConnections = 4 })
		text, _ := h.token(store.Token{Role: RoleViewer})
		var streams []io.Reader
		for range 2 {
			body := h.as(text).open("GET /v1/events").Body
			defer body.Close()
			streams = append(streams, body)
		}
		if resp, err := h.as(text).client.Get("http://latticed/v1/whoami"); err == nil {
			resp.Body.Close()
			t.Error("a third was let in")
		}
		h.dispatch(one("say", "hi"))
		for _, stream := range streams {
			r := bufio.NewScanner(stream)
			for r.Scan() && !strings.HasPrefix(r.Text(), "event: dispatch") {
			}
			if r.Err() != nil {
				t.Error(r.Err())
			}
		}
	})
	t.Run("one_address_gets_half", func(t *testing.T) {
		c := newCrowd(10)
		enter := func(ip string) *guest {
			here, there := net.Pipe()
			t.Cleanup(func() { _, _ = here.Close(), there.Close() })
			return c.enter(addressed{here, ip})
		}
		var in []*guest
		for range 8 {
			if g := enter("10.0.0.1"); g != nil {
				in = append(in, g)
			}
		}
		if len(in) != 5 {
			t.Errorf("%d of one address", len(in))
		}
		for i := range 7 {
			if g := enter(fmt.Sprint("10.0.1.", i)); (g != nil) != (i < 5) {
				t.Errorf("address %d: %v", i, g)
			}
		}
		c.state(in[2], http.StateIdle)
		c.state(in[1], http.StateIdle)
		c.state(in[2], http.StateActive)
		if g := enter("10.0.0.9"); g == nil {
			t.Error("an idle one made no room")
		}
		if _, err := in[1].Write([]byte("x")); err == nil {
			t.Error("the idle one is still there")
		}
		for _, g := range in {
			_, _ = g.Close(), g.Close()
		}
		if c.open != 6 || len(c.idle) != 0 || c.by[in[0].from] != 0 {
			t.Errorf("%d open, %v", c.open, c.by)
		}
	})
}

// addressed is a connection that comes from somewhere.
type addressed struct {
	net.Conn
	ip string
}

func (a addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(a.ip), Port: 1} }

func TestRude_clients(t *testing.T) {
	h := newHouse(t)
	h.server.limits = limits{body: 3 * time.Second, chunk: 3 * time.Second, write: 20 * time.Second, refused: 3 * time.Second}
	text, _ := h.token(store.Token{Role: RoleOperator})
	head := "POST /v1/dispatches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	auth := "Authorization: Bearer " + text + "\r\n"

	t.Run("that_send_their_headers_slowly_are_cut_off", func(t *testing.T) {
		t.Parallel()
		c := h.dial(t)
		began := time.Now()
		go func() {
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := io.WriteString(c, "G"); err != nil {
					return
				}
			}
		}()
		heard(t, c)
		if took := time.Since(began); took < headerTimeout-time.Second {
			t.Error(took)
		}
	})
	for name, c := range map[string]struct{ send, want string }{
		"that_send_their_bodies_slowly_are_told":             {head + auth + "Content-Length: 100\r\n\r\n{", "HTTP/1.1 408 "},
		"that_send_no_token_are_not_waited_for":              {head + "Content-Length: 100\r\n\r\n{", "HTTP/1.1 401 "},
		"that_send_a_wrong_token_are_not_waited_for":         {head + "Authorization: Bearer x\r\nContent-Length: 100\r\n\r\n{", "HTTP/1.1 401 "},
		"that_mean_another_host_are_not_waited_for":          {"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n{", "HTTP/1.1 403 "},
		"that_may_not_do_it_are_not_waited_for":              {"POST /v1/tokens HTTP/1.1\r\nHost: localhost\r\n" + auth + "Content-Length: 100\r\n\r\n{", "HTTP/1.1 403 "},
		"that_break_off_are_let_go":                          {head + auth + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "HTTP/1.1 408 "},
		"that_send_endless_chunks_are_let_go":                {head + auth + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 "},
		"that_send_large_headers_are_refused":                {head + "X: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		"that_send_many_headers_are_refused":                 {head + strings.Repeat("X: y\r\n", 20000) + "\r\n", "HTTP/1.1 431 "},
		"that_send_large_bodies_are_refused":                 {head + auth + "Connection: close\r\nContent-Length: 9000000\r\n\r\n{" + strings.Repeat(" ", 9_000_000-1), "HTTP/1.1 413 "},
		"that_speak_no_HTTP_are_refused":                     {"hello\r\n\r\n", "HTTP/1.1 400 "},
		"that_speak_TLS_are_refused":                         {"\x16\x03\x01\x00\x05hello\r\n\r\n", "HTTP/1.1 400 "},
		"that_name_no_host_are_refused":                      {"GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
		"that_name_two_hosts_are_refused":                    {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 400 "},
		"that_speak_HTTP_1_0_without_a_host_are_refused":     {"GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 403 "},
		"that_give_two_lengths_are_refused":                  {head + auth + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ", "HTTP/1.1 400 "},
		"that_give_a_length_and_chunks_hear_only_chunks":     {head + auth + "Connection: close\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "HTTP/1.1 422 "},
		"that_ask_for_a_proxy_get_none":                      {"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n" + auth + "Connection: close\r\n\r\n", "HTTP/1.1 40"},
		"that_put_control_characters_in_headers_are_refused": {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := h.dial(t)
			go func() { _, _ = io.WriteString(conn, c.send) }()
			if said := heard(t, conn); !strings.HasPrefix(said, c.want) || strings.Count(said, "HTTP/1.") != 1 {
				t.Errorf("%.300q, want %q", said, c.want)
			}
		})
	}
}

func TestDoors_close_with_the_server(t *testing.T) {
	h := newHouse(t)
	text, _ := h.token(store.Token{Role: RoleViewer})
	stream := h.as(text).open("GET /v1/events")
	defer stream.Body.Close()
	h.stopServing()
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("a stream ended with %v", err)
	}
	if c, err := net.Dial("tcp", h.door.Addr().String()); err == nil {
		c.Close()
		t.Error("somebody listens still")
	}
}
