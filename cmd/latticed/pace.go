package main

import "runtime"

// pace lets the heap grow by so many bytes between two collections before what it holds
// counts: Go lets it double, and of the daemon, which holds two or three megabytes, it would
// collect three times as often under load. The bytes are asked for at the start, when nothing is
// used again, and never touched: they are addresses and no memory. They count until stop.
func pace() (stop func()) {
	ballast := make([]byte, 8<<20)
	return func() { runtime.KeepAlive(ballast) }
}
