package client

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// bodySum is the header with the SHA-256 of the body, which is signed with the rest.
const bodySum = "Latticed-Body-SHA256"

// signer proves with each request that we have a token, and sends none. The key is the
// SHA-256 of the token's text; the text that is signed is
//
//	METHOD \n PATH?QUERY \n seconds since 1970 \n a word used once \n hex SHA-256 of the body
type signer struct {
	id   string
	key  []byte
	skew atomic.Int64 // seconds that the daemon's clock is ahead of ours
}

// newSigner reads ltd_ID_SECRET.
func newSigner(token string) (*signer, error) {
	id, _, ok := strings.Cut(strings.TrimPrefix(token, "ltd_"), "_")
	if !ok || !strings.HasPrefix(token, "ltd_") {
		return nil, errors.New("the token is not one of latticed: it begins with ltd_")
	}
	key := sha256.Sum256([]byte(token))
	return &signer{id: id, key: key[:]}, nil
}

// sign adds what the daemon asks for; sum is the SHA-256 of the body in hex.
func (s *signer) sign(req *http.Request, sum string) {
	at := strconv.FormatInt(time.Now().Unix()+s.skew.Load(), 10)
	word := rand.Text()
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s\n%s", req.Method, req.URL.RequestURI(), at, word, sum)
	req.Header.Set("Authorization", fmt.Sprintf("Latticed-HMAC id=%s,t=%s,n=%s,v1=%x", s.id, at, word, mac.Sum(nil)))
	req.Header.Set(bodySum, sum)
}

// corrects takes over the daemon's clock when that is why it has refused a signature. When
// the two agree, it has just started, and takes nothing more that was signed in the second
// in which it last heard of the token: then the next one has to be waited for.
func (s *signer) corrects(ctx context.Context, no *Refused, h http.Header) bool {
	if no.Code != "clock_skew" {
		return false
	}
	there, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return false
	}
	ahead, had := there.Unix()-time.Now().Unix(), s.skew.Load()
	if ahead < had-1 || ahead > had+1 {
		s.skew.Store(ahead)
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Second):
		return true
	}
}

// sumOf is the SHA-256 of bytes in hex.
func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
