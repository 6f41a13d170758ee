package dispatcher

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRetryDelay_doubles_up_to_an_hour(t *testing.T) {
	for _, c := range []struct {
		base time.Duration
		n    int
		r    float64
		want time.Duration
	}{
		{10 * time.Second, 1, 1, 10 * time.Second},
		{10 * time.Second, 1, 0.5, 7500 * time.Millisecond},
		{10 * time.Second, 3, 1, 40 * time.Second},
		{10 * time.Second, 3, 0, 20 * time.Second},
		{10 * time.Second, 30, 1, time.Hour},
		{10 * time.Second, 1000, 1, time.Hour},
		{3 * time.Hour, 5, 1, 3 * time.Hour},
		{0, 5, 1, 0},
	} {
		if got := retryDelay(c.base, c.n, c.r); got != c.want {
			t.Errorf("retryDelay(%v, %d, %v) = %v, want %v", c.base, c.n, c.r, got, c.want)
		}
	}
}

func TestAgainDelay_is_never_hasty_and_never_long(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := againDelay(rapid.IntRange(1, 1<<40).Draw(t, "n"), rapid.Float64Range(0, 1).Draw(t, "r"))
		if d < againFirst/2 || d > againCeiling {
			t.Errorf("waits %v", d)
		}
	})
}
