package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/latticed/latticed/store"
)

// headerBodySum has the SHA-256 of a body in hex; a signature covers it, so that it
// can be judged before the body is read.
const headerBodySum = "Latticed-Body-SHA256"

// emptySum is that of no body.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// clockWindow is how far the clocks of a signer and ours may be apart.
const clockWindow = 5 * time.Minute

// signedText is what the key, the SHA-256 of a token's text, has signed.
func signedText(r *http.Request, s *signature, sum string) []byte {
	return fmt.Appendf(nil, "%s\n%s\n%d\n%s\n%s", r.Method, r.URL.RequestURI(), s.at.Unix(), s.word, sum)
}

// matches is the proof of a signature.
func (s *signature) matches(text []byte) func(store.Token) bool {
	return func(t store.Token) bool {
		mac := hmac.New(sha256.New, t.Hash)
		_, _ = mac.Write(text)
		return hmac.Equal(mac.Sum(nil), s.mac)
	}
}

// replays remembers the signatures of the last minutes, so that none counts twice. Two
// generations, each at least as long as a signature may come: what is in neither is
// too old. When there are too many to remember, or we did not run, the clock is what
// refuses; and since that of a signer may be ahead of ours, it is stored up to when each
// has signed.
type replays struct {
	marks marks

	mu     sync.Mutex
	noted  map[string]time.Time // by token: what is stored; nil: it was not read yet
	before map[string]time.Time // what was stored when we began
	began  time.Time            // when the younger generation did
	young  map[[16]byte]struct{}
	old    map[[16]byte]struct{}
	newest [2]time.Time // what the latest signature in young, in old says
	floor  time.Time    // earlier ones may have been seen

	windows time.Duration // how long a generation is
	atMost  int           // in a generation
}

// marks is where it is stored up to when a token has signed.
type marks interface {
	Signed(ctx context.Context, token string, at time.Time) error
	SignedUntil(ctx context.Context, past time.Time) (map[string]time.Time, error)
}

// maxReplays is 32 MiB of memory at the very most.
const maxReplays = 250_000

func newReplays(now time.Time, m marks) *replays {
	return &replays{marks: m, began: now, young: map[[16]byte]struct{}{}, floor: now.Truncate(time.Second), atMost: maxReplays, windows: 2 * clockWindow}
}

// take judges a signature whose proof was right. What could come again after a restart
// is stored before it counts.
func (w *replays) take(ctx context.Context, s *signature, now time.Time) error {
	ahead, err := w.judge(ctx, s, now)
	if err != nil || !ahead {
		return err
	}
	if err := w.marks.Signed(ctx, s.id, s.at); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.at.After(w.noted[s.id]) {
		w.noted[s.id] = s.at
	}
	return nil
}

// judge is take without storing; ahead says that it is of no earlier second than now, and
// later than what is stored.
func (w *replays) judge(ctx context.Context, s *signature, now time.Time) (ahead bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noted == nil {
		if w.before, err = w.marks.SignedUntil(ctx, now.Add(-clockWindow)); err != nil {
			return false, err
		}
		w.noted = maps.Clone(w.before)
	}
	ahead = !s.at.Before(now.Truncate(time.Second)) && s.at.After(w.noted[s.id])
	return ahead, w.admit(s, now)
}

// admit remembers a signature, or says why it doesn't count.
func (w *replays) admit(s *signature, now time.Time) error {
	mark, signed := w.before[s.id]
	off := now.Sub(s.at)
	if off > clockWindow || off < -clockWindow || s.at.Before(w.floor) || signed && !s.at.After(mark) {
		return &Error{Status: http.StatusUnauthorized, Code: codeClockSkew, Detail: fmt.Sprintf(
			"the signature is of %s, too far from the time here (or from before the daemon's start); the header Date has the time here", s.at.UTC().Format(time.RFC3339))}
	}
	sum := sha256.Sum256([]byte(s.id + s.word))
	name := [16]byte(sum[:])
	_, young := w.young[name]
	_, old := w.old[name]
	if young || old {
		return &Error{Status: http.StatusUnauthorized, Code: codeReplayed, Detail: "this signature has come before; each request is signed anew"}
	}
	if age := now.Sub(w.began); age > w.windows || len(w.young) >= w.atMost {
		if forgot := w.newest[1].Add(time.Second); age <= w.windows && len(w.old) > 0 && forgot.After(w.floor) {
			w.floor = forgot
		}
		w.old, w.newest[1] = w.young, w.newest[0]
		w.young, w.newest[0], w.began = map[[16]byte]struct{}{}, time.Time{}, now
	}
	w.young[name] = struct{}{}
	if s.at.After(w.newest[0]) {
		w.newest[0] = s.at
	}
	return nil
}

type bodySumKey struct{}

// signedBody is the SHA-256 that the body of a request must have; empty: any.
func signedBody(ctx context.Context) string {
	sum, _ := ctx.Value(bodySumKey{}).(string)
	return sum
}

var errOtherBody = &Error{Status: http.StatusUnauthorized, Code: codeUnauthenticated, Detail: "the body is not the one that was signed"}

// checkSum compares a body that was read.
func checkSum(ctx context.Context, body []byte) error {
	want := signedBody(ctx)
	if want == "" {
		return nil
	}
	sum := sha256.Sum256(body)
	if hex.EncodeToString(sum[:]) != want {
		return errOtherBody
	}
	return nil
}

// summedBody compares a body at its end, when it is read as it comes.
type summedBody struct {
	io.ReadCloser
	want string
	sum  interface {
		io.Writer
		Sum(b []byte) []byte
	}
}

func newSummedBody(r io.ReadCloser, want string) *summedBody {
	return &summedBody{ReadCloser: r, want: want, sum: sha256.New()}
}

func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, _ = b.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(b.sum.Sum(nil)) != b.want {
		return n, errOtherBody
	}
	return n, err
}
