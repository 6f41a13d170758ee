package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Styles of signatures: how they are written, and over what.
const (
	styleGitHub = "github" // X-Hub-Signature-256: sha256=HEX, over the body
	styleStripe = "stripe" // Stripe-Signature: t=UNIX,v1=HEX, over UNIX.BODY
	styleHex    = "hex"    // a header of choice: HEX or sha256=HEX, over the body
)

const (
	defaultTolerance = 5 * time.Minute
	// maxSignatures bounds how many signatures of a delivery are looked at: while a
	// secret is being changed there are two.
	maxSignatures = 16
)

// Errors of a signature.
var (
	// ErrSignature means that there is none that the secret has made of this delivery.
	ErrSignature = errors.New("the delivery has no signature made with the secret of this trigger")
	// ErrExpired means that it was made too long ago, or is of a time to come.
	ErrExpired = errors.New("the delivery was signed too long ago, or the clocks differ")
)

// signature is what a trigger demands of deliveries.
type signature struct {
	style     string
	header    string
	secret    secret
	tolerance time.Duration // with style stripe
}

func readSignature(f *triggers.Fields, secrets map[string]string) *signature {
	if !f.Has("signature") {
		f.Alias("signature")
		return nil
	}
	var s *signature
	f.Nested("signature", func(f *triggers.Fields) { s = readStyle(f, secrets) })
	return s
}

func readStyle(f *triggers.Fields, secrets map[string]string) *signature {
	s := &signature{}
	if f.Required("style", "one of github, stripe, hex") != "" {
		s.style = f.OneOf("style", "", styleGitHub, styleStripe, styleHex)
	}
	s.secret = readSecret(f, secrets)
	s.secret.demand(f)
	f.Alias("header")
	f.Alias("tolerance")
	switch s.style {
	case styleGitHub:
		s.header = "X-Hub-Signature-256"
	case styleStripe:
		s.header = "Stripe-Signature"
		s.tolerance = f.Duration("tolerance", defaultTolerance, time.Second)
	case styleHex:
		s.header = readHeader(f, "header", "X-Signature")
	}
	if s.style == "" {
		return s // nobody knows what belongs to it
	}
	if f.Has("header") && s.style != styleHex {
		f.Refuse("header", graph.CodeBadValue, "belongs to style hex; the others have their own")
	}
	if f.Has("tolerance") && s.style != styleStripe {
		f.Refuse("tolerance", graph.CodeBadValue, "belongs to style stripe; the others sign no time")
	}
	return s
}

// verify tells whether a delivery was signed, with ErrSignature or ErrExpired if not.
// Any other error is about the secret.
func (s *signature) verify(h http.Header, body []byte, now time.Time) error {
	key, err := s.secret.read()
	if err != nil {
		return err
	}
	if s.style != styleStripe {
		for i, v := range h.Values(s.header) {
			sum, ok := parseHex(v, s.style == styleGitHub)
			if ok && i < maxSignatures && hmac.Equal(sum, digest(key, body)) {
				return nil
			}
		}
		return ErrSignature
	}
	at, sums, ok := parseStripe(strings.Join(h.Values(s.header), ","))
	if !ok {
		return ErrSignature
	}
	want := digest(key, []byte(at), []byte("."), body)
	for _, sum := range sums {
		if hmac.Equal(sum, want) {
			return within(at, now, s.tolerance)
		}
	}
	return ErrSignature
}

func digest(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, p := range parts {
		_, _ = mac.Write(p) // it never fails
	}
	return mac.Sum(nil)
}

// within tells whether a signature was made now, give or take. Only who has the secret
// is told that it was not.
func within(unix string, now time.Time, tolerance time.Duration) error {
	sec, err := strconv.ParseInt(unix, 10, 64)
	if err != nil {
		return ErrSignature
	}
	// Compared as seconds: a Duration would overflow.
	if late, limit := now.Unix()-sec, int64(tolerance/time.Second); sec < 0 || late > limit || late < -limit {
		return ErrExpired
	}
	return nil
}

// parseHex reads a SHA-256 in hex; it may say so before, or has to.
func parseHex(text string, prefixed bool) ([]byte, bool) {
	text = strings.TrimSpace(text)
	rest, has := strings.CutPrefix(text, "sha256=")
	if !has && prefixed || len(rest) != 2*sha256.Size {
		return nil, false
	}
	sum, err := hex.DecodeString(rest)
	return sum, err == nil
}

// parseStripe reads t=UNIX,v1=HEX,… : the time as it is written, which is signed, and
// the signatures. Other schemes are passed over; two times are none.
func parseStripe(text string) (at string, sums [][]byte, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			if at != "" || value == "" || len(value) > 19 || strings.Trim(value, "0123456789") != "" {
				return "", nil, false
			}
			at = value
		case "v1":
			sum, err := hex.DecodeString(value)
			if err == nil && len(sum) == sha256.Size && len(sums) < maxSignatures {
				sums = append(sums, sum)
			}
		}
	}
	return at, sums, at != "" && len(sums) > 0
}
