// Package client speaks with the daemon over its Unix socket or over TCP, for the
// command line, for agents on other machines and for tests. Its types are made from ../openapi.yaml; every answer comes with
// its bytes as they were sent, for --json. It starts no goroutine of its own.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Micros is an instant; null is the zero time.
type Micros = time.Time

// Client sends requests to one daemon. It is safe for concurrent use.
type Client struct {
	server string // for people
	scheme string
	host   string
	token  string
	signer *signer // nil: the token itself is sent
	http   *http.Client
}

// New returns a client of the daemon that listens at the Unix socket.
func New(socket string) *Client {
	var d net.Dialer
	return &Client{server: socket, scheme: "http", host: "latticed", http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
	}}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is a decoded answer and its bytes.
type Answer[T any] struct {
	Value T
	Raw   json.RawMessage
}

// Refused is the daemon's no.
type Refused struct{ Problem }

func (r *Refused) Error() string {
	if len(r.Errors) == 0 {
		return r.Detail
	}
	var b bytes.Buffer
	for i, e := range r.Errors {
		if i > 0 {
			b.WriteByte('\n')
		}
		if e.Line > 0 {
			fmt.Fprintf(&b, "%d:%d: ", e.Line, e.Column)
		}
		if e.Path != "" {
			b.WriteString(e.Path + ": ")
		}
		b.WriteString(e.Message)
	}
	return b.String()
}

// Unreachable means that the daemon didn't answer.
type Unreachable struct {
	Server string // the path of a socket, or https://HOST:PORT
	Err    error
}

func (u *Unreachable) Error() string { return fmt.Sprintf("%s: %v", u.Server, u.Err) }

func (u *Unreachable) Unwrap() error { return u.Err }

// request is one to be sent.
type request struct {
	method, path string
	query        url.Values
	contentType  string
	body         []byte
	stream       io.Reader // instead of body
	key          bool      // with an Idempotency-Key, so that it may be repeated
	header       http.Header
	again        bool // it was refused for our clock
}

const (
	repeatFor   = 5 * time.Second // a request with a key, when the daemon goes away meanwhile
	repeatPause = 100 * time.Millisecond
)

// whole sends a request and reads its answer to the end. When one with a key was sent and
// its answer was lost, whether it was done is learned by asking again with the same key.
func (c *Client) whole(ctx context.Context, r request) (json.RawMessage, error) {
	var sent atomic.Bool
	if r.key {
		r.header = http.Header{"Idempotency-Key": {uuid.NewString()}}
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	}
	for lost := (time.Time{}); ; {
		raw, err := c.answer(ctx, r)
		if !away(err) || !sent.Load() {
			return raw, err
		}
		if lost.IsZero() {
			lost = time.Now() // not before: a long request may be lost at its end
		} else if time.Since(lost) > repeatFor {
			return raw, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(repeatPause):
		}
	}
}

// away tells whether err says that the daemon isn't there, or is about to leave.
func away(err error) bool {
	var gone *Unreachable
	var no *Refused
	return errors.As(err, &gone) || errors.As(err, &no) && no.Code == "stopping"
}

// answer sends a request once and reads its answer.
func (c *Client) answer(ctx context.Context, r request) (json.RawMessage, error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err == nil:
		return raw, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, &Unreachable{Server: c.server, Err: err}
}

// send sends a request; the caller closes the body of the answer, which is a success.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	u := url.URL{Scheme: c.scheme, Host: c.host, RawPath: r.path, RawQuery: r.query.Encode()}
	var err error
	if u.Path, err = url.PathUnescape(r.path); err != nil {
		return nil, err
	}
	body := r.stream
	if body == nil && r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if err := c.show(req, r); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &Unreachable{Server: c.server, Err: err}
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	err = refused(c.server, resp)
	var no *Refused
	if c.signer != nil && errors.As(err, &no) && !r.again && c.signer.corrects(ctx, no, resp.Header) {
		r.again = true
		return c.send(ctx, r)
	}
	return nil, err
}

// show tells the daemon who we are. On the socket it knows.
func (c *Client) show(req *http.Request, r request) error {
	switch {
	case c.signer != nil && r.stream != nil:
		return errors.New("what is sent as it comes can't be signed before its SHA-256 is known")
	case c.signer != nil:
		c.signer.sign(req, sumOf(r.body))
		// net/http repeats what has a key by itself, with a signature that was taken already.
		// It knows a key by this spelling alone.
		if key := req.Header["Idempotency-Key"]; key != nil {
			req.Header["idempotency-key"] = key
			delete(req.Header, "Idempotency-Key")
		}
	case c.token != "":
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return nil
}

const maxAnswer = 256 << 20

func refused(server string, resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &Unreachable{Server: server, Err: fmt.Errorf("read the daemon's refusal: %w", err)}
	}
	r := &Refused{}
	if json.Unmarshal(raw, &r.Problem) != nil || r.Code == "" {
		r.Problem = Problem{Status: resp.StatusCode, Title: resp.Status, Detail: foreign(server, resp.Status, raw), Code: "unknown"}
	}
	return r
}

// foreign says what something answered that is not the daemon: a proxy before it, or the
// TLS that it speaks.
func foreign(server, status string, raw []byte) string {
	const longest = 200 // of a text; a page for a browser says nothing here
	switch text := string(bytes.TrimSpace(raw)); {
	case strings.Contains(text, "HTTP request to an HTTPS server"):
		return server + " speaks TLS: write https://"
	case text == "", len(text) > longest, strings.HasPrefix(text, "<"):
		return fmt.Sprintf("%s answers %s, and not as the daemon does; is a proxy in between?", server, status)
	default:
		return text
	}
}

// call sends a request and decodes its answer.
func call[T any](ctx context.Context, c *Client, r request) (Answer[T], error) {
	var a Answer[T]
	var err error
	if a.Raw, err = c.whole(ctx, r); err != nil {
		return a, err
	}
	if len(a.Raw) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(a.Raw, &a.Value); err != nil {
		return a, fmt.Errorf("the daemon's answer to %s %s can't be read: %w", r.method, r.path, err)
	}
	return a, nil
}

func get[T any](ctx context.Context, c *Client, path string, q url.Values) (Answer[T], error) {
	return call[T](ctx, c, request{method: http.MethodGet, path: path, query: q})
}

// say sends v as JSON, or nothing when it is nil.
func say[T any](ctx context.Context, c *Client, r request, v any) (Answer[T], error) {
	if r.contentType = "application/json"; r.method == http.MethodPatch {
		r.contentType = "application/merge-patch+json"
	}
	switch v := v.(type) {
	case nil:
		r.contentType = ""
	case json.RawMessage: // to the byte
		r.body = v
	default:
		var err error
		if r.body, err = json.Marshal(v); err != nil {
			return Answer[T]{}, err
		}
	}
	return call[T](ctx, c, r)
}

func post[T any](ctx context.Context, c *Client, path string, v any, key bool) (Answer[T], error) {
	return say[T](ctx, c, request{method: http.MethodPost, path: path, key: key}, v)
}

func patch[T any](ctx context.Context, c *Client, path string, v any) (Answer[T], error) {
	return say[T](ctx, c, request{method: http.MethodPatch, path: path}, v)
}

// preview asks what a request would do; nothing is changed.
func preview[T any](ctx context.Context, c *Client, method, path string, v any) (Answer[T], error) {
	return say[T](ctx, c, request{method: method, path: path, query: url.Values{"dry_run": {"1"}}}, v)
}

func remove(ctx context.Context, c *Client, path string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: path})
	return err
}

// open sends a GET whose answer is read as it comes.
func (c *Client) open(ctx context.Context, path string, q url.Values, h http.Header) (io.ReadCloser, error) {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: path, query: q, header: h})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
