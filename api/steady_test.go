package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw opens a connection of its own and sends text.
func (h *house) raw(text string) *net.UnixConn {
	h.t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: h.socket})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// fill makes more changes than the buffers of a connection hold.
func (h *house) fill() {
	h.t.Helper()
	note := strings.Repeat("n", 60_000)
	for range 40 {
		h.do("POST /v1/dispatches", fmt.Sprintf(`{"lattice": %s, "disable_run": true, "note": %q}`, one("say"), note)).want(201)
	}
}

func TestSteady_a_follower_that_stopped_reading_is_let_go(t *testing.T) {
	h := newHouse(t)
	h.server.limits.write = time.Second // also for those who read
	h.fill()
	for _, path := range []string{"/v1/events", "/v1/dispatches"} {
		c := h.raw("GET " + path + " HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 0\r\n\r\n")
		soon(t, "let go", func() bool {
			return strings.Contains(string(h.do("GET /metrics").want(200).body), `{code="200",method="GET",route="`+path+`"}`)
		})
		if got, err := io.ReadAll(c); err != nil || strings.HasSuffix(string(got), "0\r\n\r\n") {
			t.Errorf("%s: the answer has its end, %v", path, err)
		}
	}
}

func TestSteady_a_follower_may_be_silent_for_long(t *testing.T) {
	h := newHouse(t)
	h.server.limits.write = time.Second // to put a piece into the connection, on a busy machine
	id := h.dispatch(one("hold"))
	h.actor.tell("work", "first\n")
	resp := h.open("GET /v1/dispatches/" + id + "/electrons/work/stdout?follow=1")
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if got, err := lines.ReadString('\n'); err != nil || got != "first\n" {
		t.Fatalf("%q %v", got, err)
	}
	h.do("GET /v1/dispatches/" + id + "?wait=1.2s").want(200) // longer than a piece may take
	large := strings.Repeat("x", 100_000) + "\n"
	h.actor.tell("work", large)
	h.actor.end("work")
	if got, err := io.ReadAll(lines); err != nil || string(got) != large {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestSteady_a_body_that_does_not_come_is_no_failure_of_ours(t *testing.T) {
	h, patient := newHouse(t), newHouse(t)
	h.server.limits.body, h.server.limits.chunk = 50*time.Millisecond, 50*time.Millisecond
	for _, path := range []string{"/v1/dispatches", "/v1/assets"} {
		half := "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
		t.Run("stalled"+strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			resp, err := http.ReadResponse(bufio.NewReader(h.raw(half)), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			coverage.refused(resp.StatusCode, body)
			if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), `"code":"body_timeout"`) {
				t.Errorf("%s %s", resp.Status, body)
			}
		})
		t.Run("cut"+strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			c := patient.raw(half)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			coverage.refused(resp.StatusCode, body)
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), `"code":"body_broken"`) {
				t.Errorf("%s %s", resp.Status, body)
			}
		})
	}
	if log := h.log.String() + patient.log.String(); log != "" {
		t.Errorf("it was logged: %s", log)
	}
}

func TestSteady_a_slow_upload_is_taken(t *testing.T) {
	h := newHouse(t)
	h.server.limits.chunk = 2 * time.Second
	c := h.raw("POST /v1/assets HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n")
	for range 8 {
		h.do("GET /healthz").want(200)
		<-time.After(300 * time.Millisecond) // all together take longer than one may
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
}

func TestBody_that_a_route_does_not_take_is_refused(t *testing.T) {
	h := newHouse(t)
	id := h.do("POST /v1/dispatches", `{"lattice": `+one("say", "hi")+`, "disable_run": true}`).want(201).text("id")
	if d := h.do("POST /v1/dispatches/"+id+"/start", `{"electrons": ["work"]}`).want(422).text("detail"); d != "this route takes no body" {
		t.Error(d)
	}
	if s := h.do("GET /v1/dispatches/" + id).want(200).text("status"); s != "new" {
		t.Errorf("it was started all the same, it is %s", s)
	}
	h.do("POST /v1/dispatches/"+id+"/start", "{}").want(200)
}
