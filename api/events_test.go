package api

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sse reads one follower's stream.
type sse struct {
	t    *testing.T
	resp *http.Response
	in   *bufio.Reader
}

func (h *house) follow(more ...string) *sse {
	h.t.Helper()
	resp := h.open("GET /v1/events", more...)
	h.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		h.t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return &sse{h.t, resp, bufio.NewReader(resp.Body)}
}

// event is one block of the stream.
type event struct{ id, kind, data string }

func (s *sse) next() event {
	s.t.Helper()
	var e event
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		field, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "":
			return e
		case "id":
			e.id = v
		case "event":
			e.kind = v
		case "data":
			e.data = v
		}
	}
}

// until reads on to a dispatch with the status.
func (s *sse) until(status string) event {
	s.t.Helper()
	for {
		e := s.next()
		var d struct{ Status string }
		if e.kind == "dispatch" && json.Unmarshal([]byte(e.data), &d) == nil && d.Status == status {
			return e
		}
	}
}

func TestEvents_tell_what_changes(t *testing.T) {
	h := newHouse(t)
	s := h.follow()
	if first := s.next(); first.id != "0" || first.data != "" {
		t.Errorf("it begins with %+v", first)
	}
	id := h.dispatch(one("say", "x"))
	if e := s.until("completed"); !strings.Contains(e.data, `"id":"`+id+`"`) || strings.Contains(e.data, `"electrons"`) {
		t.Errorf("%+v", e)
	}
}

func TestEvents_resume_where_a_follower_left(t *testing.T) {
	h := newHouse(t)
	s := h.follow()
	h.ended(h.dispatch(one("say", "x")))
	last := s.until("completed").id
	s.resp.Body.Close()

	missed := h.dispatch(one("say", "y"))
	h.ended(missed)
	again := h.follow("Last-Event-ID: " + last)
	if e := again.until("completed"); !strings.Contains(e.data, missed) {
		t.Errorf("%+v", e)
	}
	t.Run("from_the_beginning", func(t *testing.T) {
		all := h.follow("Last-Event-ID: 0")
		seen := map[string]bool{}
		for len(seen) < 2 {
			var d struct{ ID string }
			if e := all.next(); e.kind == "dispatch" {
				if err := json.Unmarshal([]byte(e.data), &d); err != nil {
					t.Fatal(err)
				}
				seen[d.ID] = true
			}
		}
	})
	t.Run("what_was_removed_is_told", func(t *testing.T) {
		h.do("DELETE /v1/dispatches/" + missed).want(204)
		for {
			if e := again.next(); strings.Contains(e.data, `"deleted":true`) {
				if !strings.Contains(e.data, missed) {
					t.Errorf("%+v", e)
				}
				return
			}
		}
	})
}

func TestEvents_reset_who_comes_from_another_time(t *testing.T) {
	h := newHouse(t)
	s := h.follow("Last-Event-ID: 999999")
	for {
		if e := s.next(); e.kind == "reset" {
			if !strings.HasPrefix(e.data, `{"seq":`) {
				t.Errorf("%+v", e)
			}
			return
		}
	}
}

func TestEvents_show_that_they_live(t *testing.T) {
	h := newHouse(t)
	h.server.o.Heartbeat = 20 * time.Millisecond
	s := h.follow()
	for beats := 0; beats < 3; {
		line, err := s.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == ": 0\n" {
			beats++
		}
	}
}

func TestEvents_followers_leave_when_the_daemon_stops(t *testing.T) {
	h := newHouse(t)
	s := h.follow()
	s.next()
	began := time.Now()
	h.stopServing()
	if _, err := io.ReadAll(s.in); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > drainTimeout {
		t.Errorf("stopping took %s", d)
	}
}
