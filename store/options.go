package store

import (
	"time"

	"github.com/rs/zerolog"
)

// Options says how a Store works. The zero value is good.
type Options struct {
	Log zerolog.Logger   // default: silent
	Now func() time.Time // default time.Now; instants of rows, never of waiting

	Readers     int           // connections that read, default 4
	GroupMax    int           // units that share one commit at most, default 256
	BusyTimeout time.Duration // how long another program may lock the database, default 5 s
	Lattices    int           // compiled lattices kept in memory, default 256
	KeyAge      time.Duration // how long idempotency keys are kept, default 7 days
	UploadAge   time.Duration // how long an upload may wait for its lattice, default 7 days
}
