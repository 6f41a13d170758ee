package webhook

import (
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/latticed/latticed/graph"
)

// decodeBody is the body of a delivery as expressions see it: JSON as what it says, a
// form as an object, other text as text, and bytes as {"base64": …}. What its sender
// calls JSON must be JSON. A form or nothing in particular that is JSON all the same is
// taken as that: curl calls everything a form.
func decodeBody(h http.Header, body []byte) (any, error) {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	text := strings.TrimSpace(string(body))
	isJSON := kind == "application/json" || strings.HasSuffix(kind, "+json")
	mayBe := kind == "" || kind == "application/x-www-form-urlencoded"
	switch {
	case text == "":
		return nil, nil
	case isJSON:
		v, err := graph.DecodeValue(body)
		if err != nil {
			return nil, refuse("body", graph.CodeSyntax, "the body is called JSON and can't be read as that: "+err.Error())
		}
		return v, nil
	case mayBe && strings.ContainsAny(text[:1], "{["):
		if v, err := graph.DecodeValue(body); err == nil {
			return v, nil
		}
	}
	if kind == "application/x-www-form-urlencoded" {
		q, err := url.ParseQuery(text)
		if err != nil {
			return nil, refuse("body", graph.CodeSyntax, "the body is called a form and can't be read as that: "+err.Error())
		}
		return object(q), nil
	}
	return printable(string(body)), nil
}

// object is a form or query as expressions see it: a name that comes once is text, one
// that comes more often a list.
func object(values map[string][]string) map[string]any {
	out := make(map[string]any, len(values))
	for name, vs := range values {
		name := strings.ToValidUTF8(name, "\uFFFD")
		if len(vs) == 1 {
			out[name] = printable(vs[0])
			continue
		}
		list := make([]any, len(vs))
		for i, v := range vs {
			list[i] = printable(v)
		}
		out[name] = list
	}
	return out
}

// printable is text, or bytes that are none: no text has a NUL in it.
func printable(s string) any {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return map[string]any{"base64": base64.StdEncoding.EncodeToString([]byte(s))}
}

// private are parts of names of headers that prove who sends.
var private = []string{"authorization", "cookie", "signature", "token", "secret", "api-key", "apikey", "password"}

// headersOf are the headers of a delivery in lower case, without what is not to be
// stored: what proves who sends it.
func headersOf(h http.Header, signed string) map[string]any {
	out := make(map[string]any, len(h))
next:
	for name, vs := range h {
		lower := strings.ToLower(name)
		if strings.EqualFold(name, signed) {
			continue
		}
		for _, p := range private {
			if strings.Contains(lower, p) {
				continue next
			}
		}
		out[lower] = strings.ToValidUTF8(strings.Join(vs, ", "), "\uFFFD")
	}
	return out
}

// refuse says what is wrong with a delivery.
func refuse(path, code, message string) error {
	return &graph.Invalid{Problems: []graph.Problem{{Path: path, Code: code, Message: message}}}
}
