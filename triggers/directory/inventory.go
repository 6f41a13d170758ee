package directory

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"os"
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
}

// notes are what is stored with an entity beside its version, while it owes events.
type notes struct {
	Owed  []string `json:"owed"`
	Since int64    `json:"since"` // µs
}

// file is an entry of the inventory as this process knows it; what it owes may not be
// stored, because it would be found out again.
type file struct {
	entry
	seen   uint32 // the look that saw it last
	queued bool   // it is among the waits
}

// load reads the cursor and the inventory.
func (w *watch) load(ctx context.Context, from triggers.From) error {
	w.place = place{dir: w.path}
	if from.Cursor != nil {
		if err := json.Unmarshal(from.Cursor, &w.cursor); err != nil {
			return fmt.Errorf("read the cursor: %w", err)
		}
	}
	err := from.Entities(ctx, func(c triggers.Change) error {
		s, err := parseStamp(c.Version)
		if err != nil {
			return fmt.Errorf("read the inventory: %w", err)
		}
		f := &file{entry: entry{stamp: s}}
		if len(c.Data) > 0 {
			var n notes
			if err := json.Unmarshal(c.Data, &n); err != nil {
				return fmt.Errorf("read the inventory: %w", err)
			}
			f.owed, f.since = kindsOf(n.Owed)&w.want, min(n.Since*1000, time.Now().UnixNano())
		}
		w.files[string(c.Key)] = f
		if f.owed != 0 {
			w.await(string(c.Key), f)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the inventory: %w", err)
	}
	w.baseline = w.cursor.Scope != w.scope()
	if !w.baseline && w.cursor.File {
		w.asFile()
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
func (w *watch) put(name string, e entry) error {
	c := triggers.Change{Key: []byte(name), Version: e.String()}
	if e.owed != 0 {
		data, err := json.Marshal(notes{e.owed.names(), e.since / 1000})
		if err != nil {
			return fmt.Errorf("write the inventory: %w", err)
		}
		c.Data = data
	}
	w.batch.Entities = append(w.batch.Entities, c)
	return nil
}

// drop removes a file from the inventory.
func (w *watch) drop(name string) {
	delete(w.files, name)
	w.batch.Entities = append(w.batch.Entities, triggers.Change{Key: []byte(name), Deleted: true})
}

// report adds the events of a file to the batch.
func (w *watch) report(name string, k kinds, s stamp) error {
	for _, kind := range k.names() {
		p, err := encodePayload(w.dir, name, kind, s)
		if err != nil {
			return err
		}
		w.batch.Events = append(w.batch.Events, triggers.Event{Key: eventKey(w.dir, name, kind, s), Kind: kind, Payload: p})
	}
	return nil
}

// full tells whether the batch has to go before it grows. A file adds one entity and
// at most three events.
func (w *watch) full() bool {
	return len(w.batch.Entities) >= maxChanges || len(w.batch.Events)+len(kindNames) > maxChanges
}

// flush emits the batch if there is one.
func (w *watch) flush(ctx context.Context) error {
	b := w.batch
	if len(b.Entities) == 0 && len(b.Events) == 0 && b.Cursor == nil {
		return nil
	}
	w.batch = triggers.Batch{}
	w.alarm.Stop() // the folder is not to blame
	err := w.emit(ctx, b)
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

// wait is a file to be looked at again.
type wait struct {
	due  int64
	name string
}

// waits are ordered by due; an outdated one is noticed when it comes up.
type waits []wait

func (q waits) Len() int { return len(q) }
func (q waits) Less(i, j int) bool {
	if q[i].due != q[j].due {
		return q[i].due < q[j].due
	}
	return q[i].name < q[j].name
}
func (q waits) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for package heap.
func (q *waits) Push(x any) { *q = append(*q, x.(wait)) }

// Pop is for package heap.
func (q *waits) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = wait{}
	*q = old[:len(old)-1]
	return last
}

// await puts a file that owes events among the waits, once.
func (w *watch) await(name string, f *file) {
	if !f.queued {
		f.queued = true
		heap.Push(&w.waits, wait{w.rules.due(f.entry), name})
	}
}
