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
	KeyAge      time.Duration // how long idempotency keys and tombstones are kept, default 7 days
	UploadAge   time.Duration // how long an upload may wait for its lattice, or its next piece, default 7 days
	Uploads     int           // of one owner that are not whole, default 64
	UploadBytes int64         // that there are of those, default 256 GiB
}

func (o Options) withDefaults() Options {
	const week = 7 * 24 * time.Hour
	if o.Now == nil {
		o.Now = time.Now
	}
	orDefault(&o.Readers, 4)
	orDefault(&o.GroupMax, 256)
	orDefault(&o.Lattices, 256)
	orDefault(&o.BusyTimeout, 5*time.Second)
	orDefault(&o.KeyAge, week)
	orDefault(&o.UploadAge, week)
	orDefault(&o.Uploads, 64)
	orDefault(&o.UploadBytes, 256<<30)
	return o
}

func orDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
