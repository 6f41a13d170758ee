package dispatcher

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	retryCeiling = time.Hour // of the wait before a retry
	againFirst   = 50 * time.Millisecond
	againCeiling = 30 * time.Second // of the wait before something outside is asked again
)

// retryDelay says how long the n-th retry (1, 2, …) waits: base doubled n-1 times,
// with jitter. r is uniform in [0, 1).
func retryDelay(base time.Duration, n int, r float64) time.Duration {
	return jittered(doubled(base, n, retryCeiling), r)
}

// againDelay says how long to wait after n (1, 2, …) vain tries to reach something
// outside.
func againDelay(n int, r float64) time.Duration {
	return jittered(doubled(againFirst, n, againCeiling), r)
}

// jittered is between half of d and d: what was asked for is about waited, and what
// failed together does not come back together.
func jittered(d time.Duration, r float64) time.Duration {
	return d/2 + time.Duration(r*float64(d/2))
}

// doubled returns base·2^(n-1), at most ceiling unless base is more.
func doubled(base time.Duration, n int, ceiling time.Duration) time.Duration {
	ceiling = max(base, ceiling)
	if n > 40 {
		return ceiling
	}
	return time.Duration(math.Min(float64(base)*math.Pow(2, float64(n-1)), float64(ceiling)))
}

func jitter() float64 { return rand.Float64() }
