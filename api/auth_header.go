package api

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// shown is what the header Authorization says. One of the fields is set, or none when
// there is no such header.
type shown struct {
	token   string     // of Bearer
	signed  *signature // of Latticed-HMAC
	unknown bool       // a scheme that isn't ours, or a bearer that can't be a token
}

// signature proves that the sender has a token without sending it.
type signature struct {
	id   string // of the token
	at   time.Time
	word string // used once
	mac  []byte
}

const signatureScheme = "Latticed-HMAC"

// The bounds of the word of a signature.
const (
	minWord = 16
	maxWord = 64
)

// readAuthorization reads the header. The error is one that its sender can act on.
func readAuthorization(h http.Header) (shown, error) {
	all := h.Values("Authorization")
	switch len(all) {
	case 0:
		return shown{}, nil
	case 1:
	default:
		return shown{}, doubt("there is more than one header Authorization")
	}
	scheme, rest, _ := strings.Cut(all[0], " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, signatureScheme):
		sig, ok := readSignature(rest)
		if !ok {
			return shown{}, doubt("the header Authorization is not " + signatureScheme + " id=…,t=…,n=…,v1=…")
		}
		return shown{signed: sig}, nil
	case !strings.EqualFold(scheme, "Bearer"):
		return shown{unknown: true}, nil
	}
	if _, ok := idOfToken(rest); !ok {
		return shown{unknown: true}, nil
	}
	return shown{token: rest}, nil
}

// readSignature reads id=…,t=…,n=…,v1=…, each once, in any order.
func readSignature(s string) (*signature, bool) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		name, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := parts[name]; !ok || twice || v == "" {
			return nil, false
		}
		parts[name] = v
	}
	id, known := dashed(parts["id"])
	at, err := strconv.ParseUint(parts["t"], 10, 40)
	mac, hexErr := hex.DecodeString(parts["v1"])
	if len(parts) != 4 || !known || err != nil || hexErr != nil || len(mac) != 32 || !isWord(parts["n"]) {
		return nil, false
	}
	return &signature{id: id, at: time.Unix(int64(at), 0), word: parts["n"], mac: mac}, true
}

func isWord(s string) bool {
	if len(s) < minWord || len(s) > maxWord {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
