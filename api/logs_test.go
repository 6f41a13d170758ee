package api

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestLog_of_an_ended_attempt(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("say", "one\ntwo\nthree"))
	h.ended(id)
	path := "GET /v1/dispatches/" + id + "/electrons/work/"
	for query, want := range map[string]string{
		"stdout":                    "one\ntwo\nthree\n",
		"stdout?tail=0":             "",
		"stdout?tail=1":             "three\n",
		"stdout?tail=2":             "two\nthree\n",
		"stdout?tail=9":             "one\ntwo\nthree\n",
		"stdout?attempt=1":          "one\ntwo\nthree\n",
		"stdout?follow=1":           "one\ntwo\nthree\n",
		"stdout?follow=1&tail=1":    "three\n",
		"stderr":                    "",
		"stderr?follow=1&attempt=1": "",
	} {
		a := h.do(path + query).want(200)
		if string(a.body) != want || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %q, want %q", query, a.body, want)
		}
	}
}

func TestLog_is_followed_while_it_grows(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("hold"))
	for range 2 { // before and after it began to write
		resp := h.open("GET /v1/dispatches/" + id + "/electrons/work/stdout?follow=1")
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	resp := h.open("GET /v1/dispatches/" + id + "/electrons/work/stdout?follow=1")
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, line := range []string{"first\n", "second\n", "third\n"} {
		h.actor.tell("work", line)
		got, err := lines.ReadString('\n')
		if err != nil || got != line {
			t.Fatalf("%q, %v, want %q", got, err, line)
		}
	}
	if a := h.do("GET /v1/dispatches/" + id + "/electrons/work/stdout").want(200); string(a.body) != "first\nsecond\nthird\n" {
		t.Errorf("what there is so far: %q", a.body)
	}
	if a := h.do("GET /v1/dispatches/" + id + "/electrons/work/stdout?tail=1").want(200); string(a.body) != "third\n" {
		t.Errorf("the end so far: %q", a.body)
	}
	h.actor.end("work")
	rest, err := io.ReadAll(lines)
	if err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}
}

func TestLog_is_followed_from_before_the_start(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(`{"lattice": "chain", "electrons": {"first": {"run": ["hold"]}, "second": {"run": ["say", "here"], "wait_for": ["first"]}}}`)
	resp := h.open("GET /v1/dispatches/" + id + "/electrons/second/stdout?follow=1")
	defer resp.Body.Close()
	h.actor.end("first")
	got, err := io.ReadAll(resp.Body)
	if err != nil || string(got) != "here\n" {
		t.Errorf("%q %v", got, err)
	}
}

func TestLog_is_followed_into_the_next_attempt(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(`{"lattice": "again", "electrons": {"gate": {"run": ["hold"]},
		"work": {"run": ["flaky"], "wait_for": ["gate"], "retries": {"max": 1, "backoff": 0.01}}}}`)
	resp := h.open("GET /v1/dispatches/" + id + "/electrons/work/stdout?follow=1")
	defer resp.Body.Close()
	first := h.open("GET /v1/dispatches/" + id + "/electrons/work/stdout")
	first.Body.Close()
	h.actor.end("gate")
	got, err := io.ReadAll(resp.Body)
	if err != nil || string(got) != "sorry\nhello\n" {
		t.Errorf("%q %v", got, err)
	}
	for attempt, want := range map[string]string{"1": "sorry\n", "2": "hello\n", "": "hello\n"} {
		query := ""
		if attempt != "" {
			query = "?attempt=" + attempt
		}
		if a := h.do("GET /v1/dispatches/" + id + "/electrons/work/stdout" + query).want(200); string(a.body) != want {
			t.Errorf("attempt %s: %q, want %q", attempt, a.body, want)
		}
	}
}

func TestLog_followers_are_broken_off_when_the_daemon_stops(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("hold"))
	h.actor.tell("work", "here\n")
	resp := h.open("GET /v1/dispatches/" + id + "/electrons/work/stdout?follow=1")
	defer resp.Body.Close()
	waiting := h.open("GET /v1/dispatches/" + h.dispatch(`{"lattice": "x", "electrons": {"work": {"run": ["say"], "executor": "later"}}}`) + "/electrons/work/stdout?follow=1")
	defer waiting.Body.Close()
	h.stopServing()
	// Its end would say that the electron has ended.
	if got, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || string(got) != "here\n" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := io.ReadAll(waiting.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(got) > 0 {
		t.Errorf("%q %v", got, err)
	}
	if log := h.log.String(); strings.Contains(log, "failed") {
		t.Errorf("stopping is no failure: %s", log)
	}
}

func TestLog_is_taken_up_where_it_broke_off(t *testing.T) {
	h := newHouse(t)
	id := h.dispatch(one("hold"))
	path := "GET /v1/dispatches/" + id + "/electrons/work/stdout"
	if a := h.do(path + "?from=3&tail=1").want(422); a.text("detail") != "from: excludes tail" {
		t.Errorf("%s", a.body)
	}
	h.actor.tell("work", "one\ntwo\nthree\n")
	soon(t, "written", func() bool { return len(h.do(path).want(200).body) == 14 })
	for query, want := range map[string]struct{ offset, text string }{
		"":         {"0", "one\ntwo\nthree\n"},
		"?from=5":  {"5", "wo\nthree\n"},
		"?from=99": {"99", ""},
		"?tail=1":  {"8", "three\n"},
		"?tail=0":  {"14", ""},
	} {
		a := h.do(path + query).want(200)
		if got := a.header.Get("Latticed-Offset"); string(a.body) != want.text || got != want.offset || a.header.Get("Latticed-Attempt") != "1" {
			t.Errorf("%s: %q at %s of %s", query, a.body, got, a.header.Get("Latticed-Attempt"))
		}
	}
	none := h.open(path + "?follow=1&tail=0") // not even after a second look
	defer none.Body.Close()
	rest := h.open(path + "?follow=1&from=8")
	defer rest.Body.Close()
	h.do("GET /v1/dispatches/" + id + "?wait=0.3s").want(200)
	h.actor.tell("work", "four\n")
	h.actor.end("work")
	if got, err := io.ReadAll(none.Body); err != nil || string(got) != "four\n" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := io.ReadAll(rest.Body); err != nil || string(got) != "three\nfour\n" {
		t.Errorf("%q %v", got, err)
	}
}

func TestSeekTail(t *testing.T) {
	long := strings.Repeat("0123456789\n", 20_000)
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, ""},
		{"a", 1, "a"},
		{"a\n", 1, "a\n"},
		{"a\nb", 1, "b"},
		{"a\nb\n", 1, "b\n"},
		{"\n\n\n", 2, "\n\n"},
		{"a\nb\nc", 5, "a\nb\nc"},
		{long, 2, "0123456789\n0123456789\n"},
		{long, 10_000, long[:110_000]},
		{long, 20_000, long},
		{long, 20_001, long},
	} {
		r := strings.NewReader(c.text)
		if err := seekTail(r, c.n); err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(r); string(got) != c.want {
			t.Errorf("tail %d of %.20q: %d bytes, want %d", c.n, c.text, len(got), len(c.want))
		}
	}
}
