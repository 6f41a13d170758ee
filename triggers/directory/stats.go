package directory

import (
	"sync/atomic"

	"github.com/latticed/latticed/triggers"
)

// Stats are the numbers of all sources together. They name no folder: there may be many
// thousands.
type Stats struct {
	Watches   int   // that are held now
	Overflows int64 // of the kernel's queues, after which everything is looked at
	Looks     int64 // at everything a trigger watches
}

// counters are Stats as they are counted. No lock guards them: whoever adds a watch may
// have to wait for a file server.
type counters struct{ watches, overflows, looks atomic.Int64 }

// Counted is Kind with the numbers of its sources.
func Counted(o Options) (kind triggers.Kind, stats func() Stats) {
	h := &hub{roots: o.Roots}
	return h.make, h.stats
}

func (h *hub) stats() Stats {
	return Stats{Watches: int(h.watches.Load()), Overflows: h.overflows.Load(), Looks: h.looks.Load()}
}
