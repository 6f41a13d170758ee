package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
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
	path     string
	want     kinds
	include  []string
	exclude  []string
	minSize  int64
	settle   time.Duration // 0: by the file system
	fire     bool          // existing: fire
	mode     string
	interval time.Duration // of looks at everything; 0: the default
	units    assembly
}

// Kind returns the kind "directory". All its sources share one set of descriptors.
func Kind() triggers.Kind {
	h := &hub{}
	return func(f *triggers.Fields) triggers.Made { return h.make(f) }
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
		f.Refuse("event_names", graph.CodeMissing, "must hold at least one of created, closed, ready")
	}
	c.want = kindsOf(names)
	c.include = globs(f, "include")
	c.exclude = globs(f, "exclude")
	c.minSize = f.Size("min_size", 0)
	c.settle = h.settle(f)
	c.fire = f.OneOf("existing", "ignore", "ignore", "fire") == "fire"
	c.mode = f.OneOf("mode", modeAuto, modeAuto, modeEvents, modePoll, modeBoth)
	if f.Bool("recursive", false) {
		f.Refuse("recursive", graph.CodeBadValue, "must be false: this version watches one folder, not the folders in it")
	}
	c.units = readUnits(f, &c)
	made := triggers.Made{
		Source: &source{hub: h, config: c}, Event: eventEnv(),
		Overlap: triggers.Queue, BatchAlias: "batch_size",
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
	f.Set("settle", fmt.Sprintf("%s; %s on network file systems", settleLocal, settleNetwork), triggers.FromDefault)
	return 0
}

func globs(f *triggers.Fields, field string) []string {
	list := f.Words(field, nil)
	for i, glob := range list {
		if _, err := path.Match(glob, "x"); err != nil {
			f.Refuse(fmt.Sprintf("%s[%d]", field, i), graph.CodeBadValue, "%q is not a glob: an open [ or a \\ at its end", glob)
		}
	}
	return list
}

func eventEnv() graph.Env {
	return graph.Env{
		"path": graph.String, "path_b64": graph.String, "name": graph.String, "stem": graph.String, "ext": graph.String,
		"dir": graph.String, "rel": graph.String, "size": graph.Integer, "mtime": graph.String, "kind": graph.String,
	}
}

// matches tells whether a file counts. Without a slash, globs are about the base
// name; with one, about the path relative to the root, which here is the same.
func (c *config) matches(name string) bool {
	if len(c.include) > 0 && !anyGlob(c.include, name) {
		return false
	}
	return !anyGlob(c.exclude, name)
}

func anyGlob(list []string, name string) bool {
	for _, glob := range list {
		if ok, _ := path.Match(glob, name); ok {
			return true
		}
	}
	return false
}

// scope names what is watched: when it changes, a new baseline is taken.
func (c *config) scope() string {
	b, err := json.Marshal([]any{c.path, c.include, c.exclude})
	if err != nil {
		b = []byte(c.path) // texts always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// source watches one place for one trigger.
type source struct {
	hub *hub
	config
	kept *watch // between two runs
}

var _ triggers.Checker = (*source)(nil)

// Check refuses a path that is not there: it is almost always a slip of the pen.
func (s *source) Check(ctx context.Context) error { return answered(ctx, s.path, s.check) }

// answered asks for something about a path, and gives up with ctx: a file server that
// is gone may never answer. The goroutine that asks is left behind then.
func answered(ctx context.Context, path string, ask func() error) error {
	answer := make(chan error, 1)
	go func() { answer <- ask() }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return refusePath(path + " does not answer; is it on a file server that is gone?")
	}
}

func refusePath(message string) error {
	return &graph.Invalid{Problems: []graph.Problem{{Path: "dir_path", Code: graph.CodeBadPath, Message: message}}}
}

func (s *source) check() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refusePath(s.path + " does not exist; create it first")
	case err != nil:
		return refusePath(troubleWith(s.path, err))
	case !info.IsDir() && !info.Mode().IsRegular():
		return refusePath(s.path + " is neither a folder nor a file")
	case !info.IsDir():
		return nil
	}
	d, err := openFolder(s.path)
	if err != nil {
		return refusePath(troubleWith(s.path, err))
	}
	d.close()
	return nil
}

// Run does what there is to do. What it knows is kept until the next time, unless an
// error came between what it knows and what is stored.
func (s *source) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	w := s.kept
	s.kept = nil
	if w == nil {
		w = &watch{
			config: &s.config, hub: s.hub, health: from.Health, files: map[string]*file{},
			rules: rules{want: s.want, minSize: s.minSize, settle: s.settle},
		}
		w.hints.wake = from.Wake
		if err := w.load(ctx, from); err != nil {
			return err
		}
	}
	defer func() {
		if s.kept == nil {
			w.unwatch()
		}
	}()
	w.emit, w.alarm = emit, time.AfterFunc(patience, w.hangs)
	defer w.alarm.Stop()
	next, err := w.work(ctx)
	if err != nil {
		return err
	}
	s.kept = w
	return triggers.Until(next)
}

// Close ends the hints.
func (s *source) Close() error {
	if s.kept != nil {
		s.kept.unwatch()
		s.kept = nil
	}
	return nil
}
