//go:build !linux

package triggers

import "context"

// WatchClock tells when the wall clock was set, where the kernel can say; here it
// can't: nil.
func WatchClock(context.Context) <-chan struct{} { return nil }
