package api

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func sumText(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// piece posts a part of an upload.
func (h *house) piece(sha string, size, offset int, body string) answer {
	h.t.Helper()
	return h.do(fmt.Sprintf("POST /v1/assets?sha256=%s&size=%d&offset=%d", sha, size, offset), "Content-Type: application/octet-stream", body)
}

func TestUpload_comes_piece_by_piece(t *testing.T) {
	h := newHouse(t)
	content := strings.Repeat("0123456789", 5_000)
	sha := sumText(content)
	h.do("GET /v1/assets/" + sha).want(404)
	h.do("GET /v1/assets/abc").want(404)
	a := h.piece(sha, len(content), 0, content[:20_000]).want(202)
	if a.field("received") != 20_000.0 || a.field("complete") != false || a.field("size") != float64(len(content)) {
		t.Errorf("%s", a.body)
	}
	a = h.do("GET /v1/assets/" + strings.ToUpper(sha)).want(200)
	if a.field("received") != 20_000.0 || a.field("complete") != false {
		t.Errorf("%s", a.body)
	}
	if p := h.piece(sha, len(content), 10_000, content[10_000:]).want(409); p.text("code") != "wrong_offset" || !strings.Contains(p.text("detail"), "20000 bytes are there") {
		t.Errorf("%s", p.body)
	}
	a = h.piece(sha, len(content), 20_000, content[20_000:]).want(201)
	if a.text("sha256") != sha || a.field("size") != float64(len(content)) {
		t.Errorf("%s", a.body)
	}
	if a = h.do("GET /v1/assets/" + sha).want(200); a.field("complete") != true || a.field("received") != float64(len(content)) {
		t.Errorf("%s", a.body)
	}
	h.piece(sha, len(content), 0, "").want(201)
}

func TestUpload_waits_while_little_space_is_left(t *testing.T) {
	h := newHouse(t)
	var low atomic.Bool
	h.server.o.LowDisk = low.Load
	sha := sumText("good")
	low.Store(true)
	for _, a := range []answer{h.piece(sha, 4, 0, "go"), h.do("POST /v1/assets", "Content-Type: application/octet-stream", "good")} {
		if a.want(507).text("code") != "disk_full" {
			t.Errorf("%s", a.body)
		}
	}
	h.do("GET /v1/assets/" + sha).want(404)
	low.Store(false)
	h.piece(sha, 4, 0, "good").want(201)
}

func TestUpload_is_refused(t *testing.T) {
	h := newHouse(t)
	sha := sumText("good")
	for path, want := range map[string]string{
		"sha256=abc":                              "sha256: must be 64 hex digits",
		"size=4":                                  "sha256: is missing: a piece needs the SHA-256 of the whole",
		"offset=4&sha256=" + sha:                  "size: is missing: a piece needs the size of the whole",
		"size=4&offset=5&sha256=" + sha:           "offset: is beyond the size",
		"size=-1&sha256=" + sha:                   "size: must not be negative",
		"size=1.5&sha256=" + sha:                  `size: must be an integer, not "1.5"`,
		"size=3&sha256=" + sha:                    "size: the piece goes beyond the size of the whole",
		"size=4&size=4&sha256=" + sha:             "size: may be given once",
		"size=99999999999999999999&sha256=" + sha: `size: must be an integer, not "99999999999999999999"`,
	} {
		p := h.do("POST /v1/assets?"+path, "Content-Type: application/octet-stream", "good").want(422)
		if p.text("detail") != want {
			t.Errorf("%s: %s", path, p.body)
		}
	}
	if p := h.piece(sha, 65<<30, 0, "x").want(413); p.text("code") != "too_large" {
		t.Errorf("%s", p.body)
	}
	for _, path := range []string{"sha256=" + sha, "size=3&sha256=" + sha} {
		if p := h.do("POST /v1/assets?"+path, "Content-Type: application/octet-stream", "bad").want(422); p.text("code") != "wrong_hash" {
			t.Errorf("%s: %s", path, p.body)
		}
	}
	h.do("POST /v1/assets?sha256="+sha, "Content-Type: application/octet-stream", "good").want(201)
	for n := range 64 {
		h.piece(sumText(fmt.Sprint(n)), 10, 0, "x").want(202)
	}
	if p := h.piece(sumText("one more"), 10, 0, "x").want(429); p.text("code") != "too_many_uploads" {
		t.Errorf("%s", p.body)
	}
}

// half sends the head of a request and some of its body.
func (h *house) half(sha string, size int, body string) net.Conn {
	h.t.Helper()
	c, err := net.Dial("unix", h.socket)
	if err != nil {
		h.t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /v1/assets?sha256=%s&size=%d HTTP/1.1\r\nHost: latticed\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", sha, size, size, body)
	return c
}

// received waits until so much of an upload is there.
func (h *house) received(sha string, n int) {
	h.t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if a := h.do("GET /v1/assets/" + sha); a.status == 200 && a.field("received") == float64(n) {
			return
		}
		if time.Since(began) > hung {
			h.t.Fatalf("%d bytes don't arrive", n)
		}
	}
}

func TestUpload_goes_on_where_the_connection_broke(t *testing.T) {
	h := newHouse(t)
	content := strings.Repeat("abcdefgh", 20_000)
	sha := sumText(content)
	c := h.half(sha, len(content), content[:100_000])
	h.received(sha, 100_000)
	c.Close()
	h.piece(sha, len(content), 100_000, content[100_000:]).want(201)
}

func TestUpload_a_connection_that_stands_still_is_overtaken(t *testing.T) {
	h := newHouse(t)
	content := strings.Repeat("abcdefgh", 20_000)
	sha := sumText(content)
	c := h.half(sha, len(content), content[:100_000])
	defer c.Close()
	h.received(sha, 100_000)
	h.piece(sha, len(content), 100_000, content[100_000:110_000]).want(202)
	fmt.Fprint(c, content[100_000:])
	if err := c.SetReadDeadline(time.Now().Add(hung)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusConflict || !bytes.Contains(body, []byte("upload_taken_over")) {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
	coverage.refused(resp.StatusCode, body)
	h.piece(sha, len(content), 110_000, content[110_000:]).want(201)
}
