package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/latticed/latticed/triggers"
)

// maxChanges bounds one transaction.
const maxChanges = 512

// cursor is what a trigger remembers besides its files.
type cursor struct {
	Scope string `json:"scope"`          // what the inventory is about
	File  bool   `json:"file,omitempty"` // dir_path is a file
	Dev   uint64 `json:"dev"`            // the file system and
	Ino   uint64 `json:"ino"`            // the folder it was taken of

	Learned learned `json:"learned,omitzero"`
}

// notes are what is stored with an entity beside its version.
type notes struct {
	First int64    `json:"first,omitempty"` // µs; when it was seen first
	Owed  []string `json:"owed,omitempty"`
	Since int64    `json:"since,omitempty"` // µs; unchanged since then, where it matters
	Done  bool     `json:"done,omitempty"`  // it was reported as closed or ready
	Old   bool     `json:"old,omitempty"`   // it was there before the trigger, and was not reported since
	Key   string   `json:"key,omitempty"`   // of the event about what is in it, from before it was renamed
}

// note is an entity of a file, decoded.
type note struct {
	entry
	first int64 // ns
	old   bool
	key   string
}

func parseNote(e triggers.Change) (note, error) {
	var n notes
	s, err := parseStamp(e.Version)
	if err == nil && len(e.Data) > 0 {
		err = json.Unmarshal(e.Data, &n)
	}
	if err != nil {
		return note{}, fmt.Errorf("read what is known of %q: %w", e.Key, err)
	}
	return note{entry{stamp: s, owed: kindsOf(n.Owed), since: n.Since * 1000, done: n.Done}, n.First * 1000, n.Old, n.Key}, nil
}

// load reads the cursor and the inventory.
func (w *watch) load(ctx context.Context, from triggers.From) error {
	w.place = place{dir: w.path}
	if from.Cursor != nil {
		if err := json.Unmarshal(from.Cursor, &w.cursor); err != nil {
			return fmt.Errorf("read the cursor: %w", err)
		}
	}
	w.learned = w.cursor.Learned
	w.baseline = w.cursor.Scope != w.scope()
	if err := from.Entities(ctx, w.restore); err != nil {
		return fmt.Errorf("read the inventory: %w", err)
	}
	if !w.baseline && w.cursor.File {
		w.asFile()
	}
	w.top.each(func(b *branch) {
		for _, f := range b.files {
			w.tellSaw(f)
		}
	})
	return nil
}

// restore takes over one entity as it is stored.
func (w *watch) restore(c triggers.Change) error {
	if strings.HasPrefix(string(c.Key), unitPrefix) {
		switch {
		case w.baseline || w.asm == nil: // a new baseline knows of no unit
			w.batch.Entities = append(w.batch.Entities, triggers.Change{Key: c.Key, Deleted: true})
			return nil
		default:
			return w.asm.restore(c)
		}
	}
	n, err := parseNote(c)
	if err != nil {
		return err
	}
	f := &file{entry: n.entry, first: n.first, old: n.old, key: n.key}
	f.owed, f.since = n.owed&w.rules.want, min(n.since, time.Now().UnixNano())
	if f.since == 0 {
		f.since = f.ctime
	}
	dir, base := split(string(c.Key))
	w.link(f, w.makeAt(dir), base)
	if f.owed != 0 {
		w.await(f)
	}
	return nil
}

// asFile watches the folder of a single file: the file itself may be replaced.
func (w *watch) asFile() {
	dir, only := splitPath(w.path)
	w.place = place{dir: dir, only: only}
}

// findPlace looks whether dir_path is a file or a folder, for a new baseline.
func (w *watch) findPlace() error {
	w.place = place{dir: w.path}
	info, err := os.Stat(w.path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		w.asFile()
	}
	return nil
}

// put adds an entity to the batch.
func (w *watch) put(f *file) error {
	n := notes{First: f.first / 1000, Done: f.done, Old: f.old, Key: f.key}
	if f.owed != 0 {
		n.Owed = f.owed.names()
	}
	if f.owed != 0 || w.asm != nil {
		n.Since = f.since / 1000
	}
	data, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write the inventory: %w", err)
	}
	w.batch.Entities = append(w.batch.Entities, triggers.Change{Key: []byte(f.rel()), Version: f.String(), Data: data})
	return nil
}

// drop removes a file from the inventory.
func (w *watch) drop(f *file) {
	w.tellGone(f.rel())
	w.batch.Entities = append(w.batch.Entities, triggers.Change{Key: []byte(f.rel()), Deleted: true})
	w.unlink(f)
}

// report adds the events of a file to the batch; src is its old name if it was moved.
// With units, events are about those.
func (w *watch) report(f *file, k kinds, src string) error {
	if w.asm != nil {
		return nil
	}
	for _, kind := range k.names() {
		e, err := fileEvent(w.dir, f.rel(), kind, f.stamp, src)
		if err != nil {
			return err
		}
		w.batch.Events = append(w.batch.Events, e)
	}
	return nil
}

// full tells whether the batch has to go before it grows. A file adds two entities and
// an event of each kind at most.
func (w *watch) full() bool {
	return len(w.batch.Entities) >= maxChanges || len(w.batch.Events)+len(kindNames) > maxChanges
}

// flushFull emits the batch if it has to go.
func (w *watch) flushFull(ctx context.Context) error {
	if w.full() {
		return w.flush(ctx)
	}
	return nil
}

// flush emits the batch if there is one.
func (w *watch) flush(ctx context.Context) error {
	b := w.batch
	if len(b.Entities) == 0 && len(b.Events) == 0 && b.Cursor == nil {
		return nil
	}
	w.batch = triggers.Batch{}
	w.alarm.Stop() // the folder is not to blame
	began := time.Now()
	err := w.emit(ctx, b)
	w.saving += time.Since(began)
	w.alarm.Reset(patience)
	return err
}

// setCursor adds the cursor to the batch.
func (w *watch) setCursor(c cursor) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the cursor: %w", err)
	}
	w.cursor, w.batch.Cursor = c, raw
	return nil
}
