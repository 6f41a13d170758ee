package api

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/latticed/latticed/store"
)

func TestHost_is_one_of_ours(t *testing.T) {
	h := newHouseWith(t, DoorOptions{}, func(o *Options) { o.Hosts = []string{"Lab.Example", "dot.example.", "2001:DB8::9"} })
	text, _ := h.token(store.Token{Role: RoleViewer})
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(h.door.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(host string) int {
		header := bearer(text)
		header.Set("Host", host)
		return h.over(header).do("GET /v1/whoami").status
	}
	for _, host := range []string{
		"localhost", "localhost:" + port, "LOCALHOST", "localhost.", "127.0.0.1:" + port, "127.8.9.10", "[::1]:" + port, "[::1]",
		machine, strings.ToUpper(machine) + ":" + port, "lab.example", "LAB.example.:443", "dot.example", "[2001:db8::9]:" + port,
	} {
		if status := ask(host); status != 200 {
			t.Errorf("%s: %d", host, status)
		}
	}
	for _, host := range []string{
		"evil.example", "evil.example:" + port, "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.7", "[2001:db8::1]:" + port, "lab.example.evil.example", "xlab.example", "0.0.0.0",
	} {
		if status := ask(host); status != 403 {
			t.Errorf("%s: %d", host, status)
		}
	}
	t.Run("also_where_everybody_may_ask", func(t *testing.T) {
		a := h.over(http.Header{"Host": {"evil.example"}}).do("GET /healthz").want(403)
		if a.text("code") != "wrong_host" || !strings.Contains(a.text("detail"), `"evil.example" is not a name of this daemon`) {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("names_are_replaced", func(t *testing.T) {
		h.server.SetHosts([]string{"new.example"})
		if was, is := ask("lab.example"), ask("new.example"); was != 403 || is != 200 {
			t.Errorf("%d, %d", was, is)
		}
	})
	t.Run("the_socket_has_no_name", func(t *testing.T) {
		h.do("GET /v1/whoami").want(200)
	})
	t.Run("an_address_that_was_connected_to", func(t *testing.T) {
		names := newHosts(nil)
		local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 8321}
		for host, want := range map[string]bool{"10.0.0.7:8321": true, "10.0.0.7": true, "[::ffff:10.0.0.7]:8321": true, "10.0.0.8:8321": false, "": false} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = host
			if got := names.known(r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local)), &Door{}); got != want {
				t.Errorf("%q: %v", host, got)
			}
		}
	})
}

func TestPages_of_other_sites_change_nothing(t *testing.T) {
	h := newHouse(t)
	text, _ := h.token(store.Token{Role: RoleAdmin})
	body := `{"lattice": ` + one("say", "hi") + `}`
	post := func(name, v string) answer {
		header := bearer(text)
		header.Set(name, v)
		return h.over(header).do("POST /v1/dispatches", body)
	}
	for _, c := range [][2]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://127.0.0.1:1"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
		if a := post(c[0], c[1]).want(403); a.text("code") != "cross_origin" {
			t.Errorf("%v: %s", c, a.body)
		}
	}
	if a := h.do("POST /v1/dispatches", "Origin: https://evil.example", body).want(403); a.text("code") != "cross_origin" { // on the socket, too
		t.Errorf("%s", a.body)
	}
	for _, c := range [][2]string{{"Origin", "http://localhost"}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}} {
		h.ended(post(c[0], c[1]).want(201).text("id"))
	}
	header := bearer(text)
	header.Set("Origin", "https://evil.example")
	a := h.over(header).do("GET /v1/dispatches").want(200)
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("the page may read the answer")
	}
}
