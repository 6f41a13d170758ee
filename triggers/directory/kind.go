package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Defaults and limits.
const (
	settleLocal   = 10 * time.Second
	settleNetwork = 30 * time.Second
	maxBatchSize  = 10_000
)

// The modes.
const (
	modeAuto   = "auto"   // events on local file systems, both on network ones
	modeEvents = "events" // hints of the kernel, and a slow look at everything
	modePoll   = "poll"   // frequent looks, no hints
	modeBoth   = "both"
)

// config is what the fields of a trigger say.
type config struct {
	path string
	want kinds
	filter
	recursive   bool // the folders below as well
	once        bool // refire: never
	minSize     int64
	settle      time.Duration // where settleGiven
	settleGiven bool          // else by the file system
	fire        bool          // existing: fire
	mode        string
	interval    time.Duration // of looks at everything; 0: the default
	units       assembly
}

// Kind returns the kind "directory". All its sources share one set of descriptors.
func Kind(o Options) triggers.Kind {
	kind, _ := Counted(o)
	return kind
}

func (h *hub) make(f *triggers.Fields) triggers.Made {
	c := config{interval: h.interval}
	c.path = f.Required("dir_path", "the folder or file to watch, as an absolute path")
	if c.path != "" && !filepath.IsAbs(c.path) {
		f.Refuse("dir_path", graph.CodeBadPath, "must be absolute, such as /data/in, not %q", c.path)
	}
	c.path = filepath.Clean(c.path)
	names := f.Words("event_names", []string{"ready"}, kindNames[:]...)
	if len(names) == 0 {
		f.Refuse("event_names", graph.CodeMissing, "must hold at least one of %s", strings.Join(kindNames[:], ", "))
	}
	c.want = kindsOf(names)
	c.include = globs(f, "include")
	c.exclude = globs(f, "exclude")
	c.ignoreCase = f.Bool("ignore_case", false)
	c.partial = f.Bool("partial", false)
	c.minSize = f.Size("min_size", 0)
	c.settle, c.settleGiven = h.settle(f), f.Has("settle")
	c.fire = f.OneOf("existing", "ignore", "ignore", "fire") == "fire"
	c.mode = f.OneOf("mode", modeAuto, modeAuto, modeEvents, modePoll, modeBoth)
	c.recursive = f.Bool("recursive", false)
	c.units = readUnits(f, &c)
	refire := "version"
	if c.units.once {
		refire = "never"
	}
	c.once = f.OneOf("refire", refire, "version", "never") == "never"
	made := triggers.Made{
		Source: &source{hub: h, config: c}, Event: eventEnv(),
		Overlap: triggers.Queue, BatchAlias: "batch_size",
	}
	if c.units.late {
		made.Judge = judgeUnit
	}
	if r := c.units.rules; r != nil && r.fire && c.once {
		made.Warnings = append(made.Warnings, graph.Warning{Code: "fires_incomplete", Message: "on_deadline is fire and refire is never: what is not complete at its deadline fires as it is, and does not fire again when it is complete; choose on_deadline: hold, or refire: version"})
	}
	if f.Has("batch_size") {
		made.BatchSize = f.Int("batch_size", 1, 1, maxBatchSize)
	} else {
		f.Alias("batch_size")
	}
	return made
}

// settle reads the quiet period. Its default depends on the file system, which is
// looked at when the folder is opened: asking a dead file server here would block.
func (h *hub) settle(f *triggers.Fields) time.Duration {
	if f.Has("settle") {
		return f.Duration("settle", settleLocal, 0)
	}
	f.Alias("settle")
	f.Set("settle", fmt.Sprintf("%s; %s on network file systems", graph.Span(settleLocal), graph.Span(settleNetwork)), triggers.FromDefault)
	return 0
}

// scope names what is watched: when it changes, a new baseline is taken. What has its
// default is left out, lest a new field be taken for a change.
func (c *config) scope() string {
	parts := []any{c.path, c.include, c.exclude}
	if c.recursive {
		parts = append(parts, "recursive")
	}
	if c.ignoreCase {
		parts = append(parts, "ignore_case")
	}
	if c.partial {
		parts = append(parts, "partial")
	}
	if c.units.scope != nil {
		parts = append(parts, c.units.scope)
	}
	b, err := json.Marshal(parts)
	if err != nil {
		b = []byte(c.path) // texts always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
