package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers/triggertest"
)

// TestSuite runs the contract of sources. What happens is a sender that does not give up
// before it is told that its delivery is stored, as senders should be.
func TestSuite(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"path":     {"name": "t", "path_secret": secretPath},
		"observed": {"name": "t", "path_secret": secretPath, "observe": true},
		"fast":     {"name": "t", "path_secret": secretPath, "accept_rate": "10000/1s"},
	} {
		t.Run(name, func(t *testing.T) {
			h := New(nil)
			triggertest.Suite{
				Kind:      h.Kind,
				Fields:    func(*testing.T) map[string]any { return fields },
				Simulated: true,
				Happen: func(t *testing.T, _ map[string]any, n int) {
					ctx, stop := context.WithCancel(t.Context())
					given := make(chan struct{})
					go func() {
						defer close(given)
						for ctx.Err() == nil {
							_, err := h.Deliver(ctx, Delivery{
								To: secretPath, At: time.Now(), Body: fmt.Appendf(nil, `{"n": %d}`, n),
								Header: http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {fmt.Sprint(n)}},
							})
							if err == nil || errors.Is(err, context.Canceled) {
								return
							}
							time.Sleep(10 * time.Millisecond)
						}
					}()
					t.Cleanup(func() { stop(); <-given })
				},
			}.Run(t)
		})
	}
}

const secretPath = "0123456789-abcdef_ABCDEF"
